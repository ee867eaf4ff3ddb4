using System.Text;
using System.Xml.Linq;
using CsCheck;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Libvirt;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class LibvirtDomainTests
{
    private static readonly LibvirtIdentity s_identity = new(Guid.Parse("11111111-2222-3333-4444-555555555555"), "virtigo-web-11111111");

    private static readonly GuestConfig s_full = new()
    {
        Name = "web",
        WorkDirectory = "/run/v/a,b",
        MemoryMiB = 1024,
        Cpus = 2,
        Firmware = FirmwareKind.Uefi,
        Disks =
        [
            new GuestDisk("/data/disk,1.qcow2", DiskFormat.Qcow2) { Serial = "root", Unsafe = true },
            new GuestDisk("/data/seed.img", DiskFormat.Raw) { ReadOnly = true },
            new GuestDisk("/data/noble.iso", DiskFormat.Raw) { ReadOnly = true, IsDisc = true },
        ],
        Kernel = new KernelBoot("/k/linux", "/k/initrd", "console=ttyS0 --- quiet"),
        Nics = [new GuestNic("/run/v/net,1.sock") { Mtu = 9000 }, new GuestNic("/run/v/net2.sock", "52:54:00:00:00:02")],
        Serials = [new GuestSerial("console"), new GuestSerial("log")],
        AgentChannel = true,
        StreamChannel = true,
        GenerationId = true,
        Display = true,
        Credentials = new Dictionary<string, string> { ["a.b"] = "<c> & \"d\"" },
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void A_full_guest_has_exactly_what_it_asked_for() => Golden.Same("libvirt-full.xml",
        Text(LibvirtDomain.Build(s_full, s_identity, Accelerator.Tcg, "/usr/bin/qemu-system-x86_64", new LibvirtOwner(1000, 100))) + "\n", "Hypervisors");

    [Fact]
    public void A_plain_guest_on_another_host_has_nothing_of_this_one()
    {
        GuestConfig plain = new() { Name = "web", WorkDirectory = "/w", MemoryMiB = 64, Disks = [new GuestDisk("/d", DiskFormat.Raw)], RestartOnReset = true };

        Golden.Same("libvirt-remote.xml", Text(LibvirtDomain.Build(plain, s_identity, Accelerator.Kvm, null, null)) + "\n", "Hypervisors");
    }

    [Fact]
    public async Task Libvirt_finds_every_definition_valid_and_reads_in_it_what_was_written()
    {
        const string hostile = "/a'b\"c<&>;,$(x)=é\U0001F600";
        GuestConfig[] guests =
        [
            s_full,
            s_full with { Kernel = null, Firmware = FirmwareKind.Bios, Credentials = new Dictionary<string, string>(), Nics = [], RestartOnReset = true, CpuModel = "host,-svm" },
            s_full with { Kernel = new KernelBoot(hostile, null, hostile + "\t\n"), Disks = [new GuestDisk(hostile, DiskFormat.Raw)], CpuModel = "max" },
        ];
        foreach (GuestConfig guest in guests)
        {
            XElement domain = LibvirtDomain.Build(guest, s_identity, Accelerator.Tcg, "/usr/bin/qemu-system-x86_64", new LibvirtOwner(1, 2));
            domain.SetAttributeValue("type", "test");
            ToolResult said = await VirshAsync($"create --file /dev/stdin --validate; domstate {s_identity.Id}; dumpxml {s_identity.Id}; destroy {s_identity.Id}", LibvirtDomain.Write(domain));

            Assert.True(said.ExitCode == 0, said.Error);
            string dump = said.Output[said.Output.IndexOf("<domain", StringComparison.Ordinal)..(said.Output.IndexOf("</domain>", StringComparison.Ordinal) + 9)];
            XElement read = XElement.Parse(dump, LoadOptions.PreserveWhitespace);
            Assert.Equal(guest.Kernel?.CommandLine, (string?)read.Element("os")!.Element("cmdline"));
            Assert.Equal(guest.Kernel?.KernelPath, (string?)read.Element("os")!.Element("kernel"));
            Assert.Equal(guest.Disks.Select(disk => disk.Path), read.Descendants("disk").Select(disk => (string)disk.Element("source")!.Attribute("file")!));
            Assert.Equal(guest.Credentials.Select(pair => $"io.systemd.credential:{pair.Key}={pair.Value}"), read.Descendants("entry").Select(entry => entry.Value));
        }
    }

    [Fact]
    public void Any_text_goes_round_or_is_refused()
    {
        var letters = Gen.OneOf(Gen.Char, Gen.Char['\0', '\u0020'], Gen.Char["<&\"']>,\r\n\t\uD83D\uDE00\uFFFE"]);
        letters.Array[0, 24].Select(each => new string(each)).Sample(text =>
        {
            GuestConfig config = s_full with { Kernel = new KernelBoot("/k", null, text), Nics = [], Disks = [new GuestDisk("/" + text, DiskFormat.Raw)] };
            if (!LibvirtDomain.CanHold(text))
            {
                Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => LibvirtConfigCheck.Check(config)).Kind);
                return;
            }

            LibvirtConfigCheck.Check(config);
            using var bytes = new MemoryStream(LibvirtDomain.Write(LibvirtDomain.Build(config, s_identity, Accelerator.Tcg, "/q", null)));
            XElement read = XElement.Load(bytes, LoadOptions.PreserveWhitespace);
            Assert.Equal(text, read.Element("os")!.Element("cmdline")!.Value);
            Assert.Equal("/" + text, read.Descendants("source").First().Attribute("file")!.Value);
        }, iter: 20_000);
    }

    [Theory]
    [InlineData("qemu64,+aes,-svm,avx=off,sse4-1=on", "qemu64|require:aes|disable:svm|disable:avx|require:sse4.1")]
    [InlineData("host", "")]
    [InlineData("max,+pclmulqdq", "|require:pclmuldq")]
    [InlineData("Skylake-Client-v2", "Skylake-Client-v2")]
    [InlineData("qemu64,hv_spinlocks=0x1fff", null)]
    [InlineData("qemu64,+", null)]
    [InlineData("qemu64,=on", null)]
    public void A_processor_is_put_into_libvirts_words(string model, string? expected)
    {
        XElement? cpu = LibvirtCpu.Element(model);

        Assert.Equal(expected, cpu is null ? null : string.Join('|', ((string[])[(string?)cpu.Element("model") ?? ""])
            .Concat(cpu.Elements("feature").Select(each => $"{(string?)each.Attribute("policy")}:{(string?)each.Attribute("name")}"))));
    }

    [Fact]
    public void What_libvirt_cannot_say_is_refused_with_what_is_expected()
    {
        LibvirtConfigCheck.Check(s_full);
        GuestConfig[] bad = [s_full with { Accelerator = Accelerator.Ptrace }, s_full with { CpuModel = "qemu64,a=b" }, s_full with { WorkDirectory = "/a\u0001" }];

        Assert.All(bad, config => Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => LibvirtConfigCheck.Check(config)).Kind));
        Assert.Equal(FailureKind.Host, Assert.Throws<VirtigoException>(() => LibvirtConfigCheck.Check(s_full with { WorkDirectory = "/" + new string('a', 90) })).Kind);
    }

    internal static Task<ToolResult> VirshAsync(string commands, byte[] input) =>
        Tool.TryRunAsync(new LibvirtClient(LibvirtUri.Parse("test:///default")).Command(commands), input, Token);

    private static string Text(XElement domain) => Encoding.UTF8.GetString(LibvirtDomain.Write(domain));
}
