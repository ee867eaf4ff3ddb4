using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class GuestConfigCheckTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");
    private readonly GuestConfig _good;

    public GuestConfigCheckTests() => _good = new GuestConfig { Name = "web", WorkDirectory = Path.Combine(_folder.FullName, "w"), MemoryMiB = 64 };

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_good_guest_passes_and_its_folder_is_only_for_its_owner()
    {
        GuestConfigCheck.Check("qemu", QemuHypervisor.Abilities, _good);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_good.WorkDirectory));
    }

    [Fact]
    public void What_QEMU_cannot_do_is_refused_as_the_users_mistake()
    {
        GuestConfig[] bad =
        [
            _good with { Name = "a,b" },
            _good with { Name = "" },
            _good with { Cpus = 0 },
            _good with { MemoryMiB = 1 },
            _good with { Nics = [new GuestNic("/n", "52:54:00:12:34:56,x=y")] },
            _good with { Nics = [new GuestNic("/n") { Mtu = 1 }] },
            _good with { Nics = [.. Enumerable.Repeat(new GuestNic("/n"), 9)] },
            _good with { MemoryFile = new GuestMemoryFile("relative", true) },
            _good with { SavedState = "relative" },
            _good with { Credentials = new Dictionary<string, string> { ["a,b"] = "" } },
            _good with { Credentials = new Dictionary<string, string> { ["a"] = "b\n" } },
            _good with { CpuModel = "max -monitor stdio" },
            _good with { TranslationCacheMiB = 1 << 20 },
            _good with { WorkDirectory = "relative" },
            _good with { Disks = [new GuestDisk("relative", DiskFormat.Raw)] },
            _good with { Disks = [new GuestDisk("/bin/sh", DiskFormat.Raw) { Serial = "a,b" }] },
            _good with { Serials = [new GuestSerial("A/b")] },
            _good with { Serials = [new GuestSerial("a"), new GuestSerial("a")] },
            _good with { Serials = [new("a"), new("b"), new("c"), new("d"), new("e")] },
        ];

        Assert.All(bad, config => Assert.Equal(FailureKind.Usage, Refused(config).Kind));
    }

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Contains("/no/such/disk", Refused(_good with { Disks = [new GuestDisk("/no/such/disk", DiskFormat.Raw)] }).Message, StringComparison.Ordinal);

    [Fact]
    public void A_path_too_long_for_a_socket_is_refused_with_its_length()
    {
        string folder = Path.Combine(_folder.FullName, new string('x', 100));
        VirtigoException[] errors =
        [
            Refused(_good with { Nics = [new GuestNic(folder)] }),
            Assert.Throws<VirtigoException>(() => QemuCommandLine.CheckSockets(_good with { WorkDirectory = folder })),
        ];

        Assert.All(errors, error =>
        {
            Assert.Equal(FailureKind.Host, error.Kind);
            Assert.Contains("107", error.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void What_this_hypervisor_cannot_do_is_refused_with_its_name_and_the_one_that_can()
    {
        var poor = new HypervisorCapabilities { MaxSerials = 1 };
        (GuestConfig Guest, string Words)[] asked =
        [
            (_good, "boots from its disk"),
            (_good with { Kernel = new KernelBoot("/k", null, "") }, "boots a kernel of the host's"),
            (_good with { Firmware = FirmwareKind.Uefi }, "boots"),
            (_good with { AgentChannel = true }, "agent"),
            (_good with { StreamChannel = true }, "streams"),
            (_good with { GenerationId = true }, "copy"),
            (_good with { StartPaused = true }, "paused"),
            (_good with { SavedState = "/s" }, "forked"),
            (_good with { Display = true }, "screen"),
            (_good with { Nics = [new GuestNic("/n")] }, "networks"),
            (_good with { Disks = [new GuestDisk("/d", DiskFormat.Qcow2)] }, "qcow2"),
        ];
        foreach ((GuestConfig guest, string words) in asked)
        {
            HypervisorCapabilities others = QemuHypervisor.Abilities;
            HypervisorCapabilities able = words switch
            {
                "boots from its disk" => others with { DiskBoot = false },
                "boots a kernel of the host's" => others with { KernelBoot = false },
                _ => poor with { DiskBoot = true, KernelBoot = true, Uefi = words != "boots" && others.Uefi },
            };
            VirtigoException error = Assert.Throws<VirtigoException>(() => GuestConfigCheck.Check("feeble", able, guest));
            Assert.Equal(FailureKind.Usage, error.Kind);
            Assert.Contains("feeble", error.Message, StringComparison.Ordinal);
            Assert.Contains(words, error.Message, StringComparison.Ordinal);
            Assert.Contains("qemu", error.Hint, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_folder_that_others_can_read_is_refused()
    {
        Directory.CreateDirectory(_good.WorkDirectory);
        File.SetUnixFileMode(_good.WorkDirectory, (UnixFileMode)Convert.ToInt32("755", 8));

        Assert.StartsWith("chmod 700", Refused(_good).Hint, StringComparison.Ordinal);
    }

    private static VirtigoException Refused(GuestConfig config) => Assert.Throws<VirtigoException>(() => GuestConfigCheck.Check("qemu", QemuHypervisor.Abilities, config));
}
