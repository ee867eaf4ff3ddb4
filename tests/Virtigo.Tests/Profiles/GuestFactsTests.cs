using CsCheck;
using Virtigo.Profiles;
using Virtigo.Tests.Archives;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Profiles;

/// <summary>A guest says of itself what it likes: what makes sense is taken, and nothing else goes any further.</summary>
public sealed class GuestFactsTests
{
    private const string Said = """
        virt qemu
        vendor GenuineIntel
        cmdline BOOT_IMAGE=/vmlinuz root=UUID=1 ro  quiet console=ttyS0,115200n8
        clocksource tsc
        clocksources tsc hpet acpi_pm
        entropy 256
        have perl
        have update-grub
        virtio 0x0004 0
        virtio 0x0001 1
        discard 2147450880
        nic enp0s1 virtio_net 99-default.link
        nic eth1 -
        nic eth2 - 73-special.link
        address enp0s1 10.0.0.2
        address lo 127.0.0.1
        unit Id=chrony.service
        unit LoadState=loaded
        unit ActiveState=active
        unit UnitFileState=enabled
        unit
        unit Id=fstrim.timer
        unit LoadState=masked
        """;

    private static readonly Gen<string> s_line = Gen.OneOf(
        Gen.String[0, 80],
        Gen.Select(Golden.Pieces("virt", "nic", "unit", "address", "have", "virtio", "cmdline", "clocksources", "entropy", "hypervisor", "guest-type"), Gen.String[Gen.Char[(char)0, (char)0x250], 0, 60], (key, rest) => $"{key} {rest}"),
        Golden.Pieces([.. Said.Split('\n')]),
        Golden.Pieces("unit Id=../../etc/passwd", "unit Id=fstrim.timer\r", "nic ../x y z", "nic eth0 x ../../a.link", "entropy -1", "entropy 99999999999999999999", "unit LoadState=\u001b[31m", "nic  ", " ", "unit ="));

    [Fact]
    public void What_a_guest_says_is_read()
    {
        GuestFacts facts = GuestFacts.Parse(Said);
        Assert.Equal(GuestKind.Tcg, facts.Kind);
        Assert.Contains("console=ttyS0,115200n8", facts.KernelArguments);
        Assert.Equal(["tsc", "hpet", "acpi_pm"], facts.ClockSources);
        Assert.Equal((256L, 2147450880L, null), (facts.Number("entropy"), facts.Number("discard"), facts.Number("wallclock")));
        Assert.True(facts.Has("update-grub") && !facts.Has("chronyd"));
        Assert.Equal((false, true, null), (facts.VirtioDriven("0x0004"), facts.VirtioDriven("0x0001"), facts.VirtioDriven("0x0005")));
        Assert.Equal([new("enp0s1", "virtio_net", "99-default.link"), new("eth1", "", ""), new("eth2", "", "73-special.link")], facts.Nics);
        Assert.Equal("enp0s1", facts.NicAt("10.0.0.2")?.Name);
        Assert.Null(facts.NicAt("127.0.0.1"));
        Assert.Equal(new GuestUnitFact("loaded", "enabled", "active"), facts.Unit("chrony.service"));
        Assert.Equal("masked", facts.Unit("fstrim.timer").Load);
        Assert.Equal("not-found", facts.Unit("ntpsec.service").Load);
    }

    [Theory]
    [InlineData("virt kvm", GuestKind.Kvm)]
    [InlineData("virt qemu", GuestKind.Tcg)]
    [InlineData("virt uml", GuestKind.Uml)]
    [InlineData("virt none\nvendor User Mode Linux", GuestKind.Uml)]
    [InlineData("virt xen\nhypervisor xen\nguest-type PV", GuestKind.XenPv)]
    [InlineData("virt xen\nhypervisor xen\nguest-type PVH", GuestKind.XenPvh)]
    [InlineData("virt xen\nhypervisor xen\nguest-type HVM", GuestKind.XenHvm)]
    [InlineData("virt vmware", GuestKind.Unknown)]
    [InlineData("", GuestKind.Unknown)]
    public void The_hypervisor_is_told_from_what_the_kernel_shows(string said, object kind) => Assert.Equal(kind, GuestFacts.Parse(said).Kind);

    [Fact]
    public void Whatever_a_guest_says_is_bounded_printable_and_never_a_failure() =>
        s_line.Array[0, 60].Select(lines => string.Join('\n', lines)).Sample(said =>
        {
            GuestFacts facts = GuestFacts.Parse(said);
            Assert.All(facts.Nics, nic =>
            {
                Assert.True(ProfileTargets.IsCard(nic.Name), nic.Name);
                Assert.True(nic.LinkFile.Length == 0 || ProfileTargets.IsLinkFile(nic.LinkFile), nic.LinkFile);
            });
            Assert.True(facts.Nics.Select(nic => nic.Name).Distinct().Count() == facts.Nics.Count);
            Assert.True(Told(facts).All(text => text.All(letter => letter is >= ' ' and < '\x7f')));
        }, iter: 3000);

    [Fact]
    public void Every_setting_judges_whatever_a_guest_says_and_changes_only_what_a_profile_may() =>
        s_line.Array[0, 60].Select(lines => string.Join('\n', lines)).Sample(said =>
        {
            GuestFacts facts = GuestFacts.Parse(said);
            foreach (ProfileSetting setting in ProfileTable.All)
            {
                Judgment judgment = setting.Judge(facts, new ProfileMeasurements(null, null, "none"));
                Assert.Equal(setting.Name, judgment.Finding.Setting);
                Assert.DoesNotContain(judgment.Finding.Text, char.IsControl);
                Assert.All(judgment.Changes, change => Assert.True(ProfileTargets.IsKnown(change.Kind, change.Target), change.Target));
                Assert.Equal(judgment.Changes.Count > 0, judgment.Finding.Applies);
            }
        }, iter: 1000);

    [Fact]
    public void A_flood_is_cut()
    {
        GuestFacts facts = GuestFacts.Parse(string.Concat(Enumerable.Range(0, 400).Select(i => $"nic e{i} x\naddress e{i} 10.0.0.{i}\n")) + "virt kvm\n");
        Assert.Equal(16, facts.Nics.Count);
        Assert.Equal(GuestKind.Unknown, facts.Kind);
        Assert.Equal(4096, GuestFacts.Parse("cmdline " + new string('x', 1 << 20)).Value("cmdline").Length);
        Assert.Equal("", GuestFacts.Parse(new string('x', GuestFacts.MaxBytes) + "\nvirt kvm\n").Value("virt"));
    }

    [Fact]
    public void Every_length_of_a_truncated_answer_is_read()
    {
        for (int length = 0; length <= Said.Length; length++)
        {
            Assert.InRange(GuestFacts.Parse(Said[..length]).Nics.Count, 0, 3);
        }
    }

    [Fact]
    public void The_question_is_one_that_a_shell_takes() => TestArchiveTools.Run("sh", System.Text.Encoding.UTF8.GetBytes(GuestFacts.Script), "-n");

    private static IEnumerable<string> Told(GuestFacts facts) =>
    [
        .. facts.Nics.SelectMany(nic => new[] { nic.Name, nic.Driver, nic.LinkFile }), .. facts.KernelArguments, .. facts.ClockSources,
        facts.Value("virt"), facts.Value("clocksource"), facts.Value("rng"),
        .. ProfileTargets.Units.Select(facts.Unit).SelectMany(unit => new[] { unit.Load, unit.File, unit.Active }),
    ];
}
