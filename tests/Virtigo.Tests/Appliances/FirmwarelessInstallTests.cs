using System.Text;
using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Hypervisors.Uml;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class FirmwarelessInstallTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-uml-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task The_installer_is_told_its_disk_and_puts_no_boot_loader_on_it()
    {
        string answers = ApplianceBuilder.Answers(await PlanAsync("hypervisor: uml\n"));

        Assert.Contains("d-i partman-auto/disk string /dev/ubda\n", answers, StringComparison.Ordinal);
        Assert.Contains("d-i anna/no_kernel_modules boolean true\n", answers, StringComparison.Ordinal);
        Assert.DoesNotContain("grub-installer", answers, StringComparison.Ordinal);
        Assert.Contains("grub2-common", answers, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_what_is_installed_differently_is_another_image()
    {
        string standard = (await PlanAsync("hostname: web\n")).Fingerprint;

        Assert.Equal(standard, (await PlanAsync("hostname: web\nhypervisor: qemu\n")).Fingerprint);
        Assert.Equal(standard, (await PlanAsync("hostname: web\nhypervisor: auto\n")).Fingerprint);
        Assert.NotEqual(standard, (await PlanAsync("hostname: web\nhypervisor: uml\n")).Fingerprint);
    }

    [Theory]
    [InlineData("firmware: uefi\n", "it has no firmware to prepare the disk for")]
    [InlineData("disk: {layout: lvm}\n", "it can lay out one disk with ext4 and swap that stays as it is, and the disk is: logical volumes, / ext4")]
    [InlineData("disk: {filesystem: xfs}\n", "it can lay out one disk with ext4 and swap that stays as it is, and the disk is: / xfs")]
    [InlineData("disk: {grow: true}\n", "it can lay out one disk")]
    public async Task What_cannot_be_installed_there_is_refused_where_it_is_asked_for(string yaml, string reason)
    {
        foreach (string hypervisor in (string[])["uml", "xen"])
        {
            VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => PlanAsync($"{yaml}hypervisor: {hypervisor}\n"));

            Assert.StartsWith($"web.yml:2: hypervisor: {hypervisor} cannot install this appliance: {reason}", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Under_Xen_the_installer_has_its_own_modules_and_the_boot_loader_is_put_in_from_outside()
    {
        AppliancePlan plan = await PlanAsync("hypervisor: xen\n");
        string answers = ApplianceBuilder.Answers(plan);
        InstallMachine machine = plan.InstallMachine();

        Assert.Contains("d-i partman-auto/disk string /dev/xvda\n", answers, StringComparison.Ordinal);
        Assert.DoesNotContain("anna/no_kernel_modules", answers, StringComparison.Ordinal);
        Assert.DoesNotContain("grub-installer", answers, StringComparison.Ordinal);
        Assert.Contains("grub2-common", answers, StringComparison.Ordinal);
        Assert.Contains("scsi-modules", DefaultComponents.For(plan.Disk.Value, machine));
        Assert.DoesNotContain("grub-installer", DefaultComponents.For(plan.Disk.Value, machine));
        Assert.EndsWith(" console=hvc0 quiet", DebianBoot.CommandLine(machine, "quiet"), StringComparison.Ordinal);
        Assert.All(InstallHooks.Shared("", "mirror.example", plan.Disk.Value, machine).Concat(InstallHooks.Own(plan.ToDebianChoices(), "", "")),
            file => Assert.DoesNotContain("ttyS1", file.Text, StringComparison.Ordinal));
        Assert.Contains(InstallHooks.Own(plan.ToDebianChoices(), "", "n"), file => file.Text.Contains($"echo '{InstallHooks.Marker("n")}' >/dev/hvc1\n", StringComparison.Ordinal));
    }

    [Fact]
    public void The_card_has_the_name_of_where_the_system_will_run()
    {
        foreach ((InstallMachine machine, string expected) in new[] { (InstallMachine.UserMode, "s/\\bvec0\\b/ens3/g"), (InstallMachine.Xen, "s/\\b\\(enX0\\|eth0\\)\\b/ens3/g") })
        {
            TestArchiveTools.Run("/bin/sh", null, "-n", "-c", machine.AtEnd);
            Assert.Contains(expected, machine.AtEnd, StringComparison.Ordinal);
        }

        Assert.Empty(InstallMachine.Virtio.AtEnd);
    }

    [Fact]
    public void An_installed_system_begins_with_a_script_that_its_kernel_line_can_carry()
    {
        string line = UmlBoot.Of("/kernel", UmlBoot.Device(1), 1).CommandLine;
        string script = Encoding.ASCII.GetString(Convert.FromBase64String(line.Split("echo ")[1].Split(' ')[0]));

        Assert.True(line.Length < UmlCommandLine.LongestArguments, $"{line.Length}");
        Assert.Equal(2, line.Count(character => character == '"'));
        Assert.Contains("qemu-ga -m isa-serial -p /dev/ttyS1\n", script, StringComparison.Ordinal);
        TestArchiveTools.Run("/bin/sh", null, "-n", "-c", script);
    }

    private Task<AppliancePlan> PlanAsync(string yaml) => new AppliancePlanner(new PlannerEnvironment
    {
        Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null),
        ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", suite)),
        FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
        FindHostSecurityMirror = () => new HostMirror(new Uri("http://host.example/debian-security"), "/etc/apt/sources.list:2"),
        Variable = _ => null,
    }).PlanAsync(ApplianceSpec.Parse(yaml, "web.yml"), TestContext.Current.CancellationToken);
}
