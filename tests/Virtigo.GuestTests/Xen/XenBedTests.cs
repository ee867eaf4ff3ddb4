using Virtigo.Appliances;
using Virtigo.GuestTests.Hypervisors;
using Virtigo.Host;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests.Xen;

/// <summary>The driver for Xen with the real toolstack: the tests of <see cref="XenGuestTests"/>, run in a dom0 that Virtigo has built and started.</summary>
public sealed class XenBedTests(Lab lab)
{
    /// <summary>What every change is tested with: making, console, SysRq, destruction.</summary>
    private static readonly string[] s_essential =
    [
        nameof(XenGuestTests.A_guest_that_powers_itself_off_ends_cleanly_and_leaves_nothing),
        nameof(XenGuestTests.A_SysRq_command_is_taken_by_the_kernel),
        nameof(XenGuestTests.A_killed_guest_is_gone_and_takes_no_commands),
    ];

    private static readonly string[] s_machine =
    [
        nameof(XenGuestTests.A_guest_that_powers_itself_off_ends_cleanly_and_leaves_nothing),
        nameof(XenGuestTests.The_agents_channel_carries_bytes_both_ways),
        nameof(XenGuestTests.A_second_serial_port_is_another_and_the_agents_channel_a_third),
        nameof(XenGuestTests.Disks_are_written_and_read_and_one_that_cannot_be_written_is_not),
        nameof(XenGuestTests.Two_cards_of_one_guest_reach_each_other_through_a_network_of_ours),
        nameof(XenGuestTests.A_paused_guest_stands_still_and_goes_on),
        nameof(XenGuestTests.A_reset_starts_the_guest_again),
        nameof(XenGuestTests.A_SysRq_command_is_taken_by_the_kernel),
        nameof(XenGuestTests.The_power_button_of_a_guest_whose_system_answers_it_is_a_clean_end),
        nameof(XenGuestTests.A_killed_guest_is_gone_and_takes_no_commands),
    ];

    [Fact]
    public async Task Guests_of_Xen_are_made_speak_take_SysRq_and_are_destroyed()
    {
        await using XenBed bed = await XenBed.StartAsync(lab);
        Assert.Contains("control_d", await bed.Dom0.RunAsync("cat /proc/xen/capabilities", Cancel), StringComparison.Ordinal);

        IReadOnlyList<InnerTest> tests = await bed.RunAsync([.. Classes.SelectMany(type => s_essential.SelectMany(test => Only(type, test)))]);
        ExpectPassed(tests);
        Assert.Equal(Classes.Length * s_essential.Length, tests.Count);
    }

    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task Guests_of_Xen_do_all_that_guests_of_every_hypervisor_do()
    {
        await using XenBed bed = await XenBed.StartAsync(lab);
        IReadOnlyList<InnerTest> tests = await bed.RunAsync([.. Classes.SelectMany(type => (string[])["--filter-class", "*." + type])]);
        ExpectPassed(tests);
        Assert.True(tests.Count >= 2 * Classes.Length * s_essential.Length, $"only {tests.Count} tests were run");
    }

    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task Guests_that_are_whole_PCs_boot_a_kernel_and_have_ports_disks_cards_an_agent_SysRq_pause_and_reset()
    {
        await using XenBed bed = await XenBed.StartAsync(lab);
        IReadOnlyList<InnerTest> tests = await bed.RunAsync([.. s_machine.SelectMany(test => Only(nameof(XenHvmGuestTests), test))]);
        ExpectPassed(tests);
        Assert.Equal(s_machine.Length, tests.Count);
    }

    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task An_installed_image_boots_in_PV_and_PVH_guests_and_tests_run_on_a_machine_of_it()
    {
        await using XenBed bed = await XenBed.StartAsync(lab, BedStore.Image);
        IReadOnlyList<InnerTest> tests = await bed.RunAsync("--filter-class", "*." + nameof(XenImageTests));
        ExpectPassed(tests);
        Assert.Equal(2, tests.Count);

        // One machine: two at once, in an emulated processor that both share with dom0, are too slow for the time limits of their own systems.
        await bed.Dom0.RunAsync("""
            cd /opt
            echo 'packages: [nginx, curl, openssh-server]' >web.yml
            cat >one.yml <<X
            machines:
              server: {appliance: web.yml, memory: 512MiB}
            ready:
              - server: echo prepared > /run/prepared
            tests:
              page:
                - server: {run: cat /run/prepared; systemd-detect-virt, prints: [prepared, xen]}
                - server: {run: curl -sf http://server/, within: 60s, prints: Welcome}
            X
            """.ReplaceLineEndings("\n"), Cancel);
        Machines.CommandResult result = await bed.CommandAsync("test", "/opt/one.yml", "--hypervisor", "xen", "--offline", "--artifacts", "/opt/artifacts");
        string said = result.ExitCode == 0 ? "" : (await bed.Dom0.ExecuteAsync("cd /opt/artifacts; find . -type f; tail -c 20000 $(find . -name '*console*')", Cancel)).Output;
        Assert.True(result.ExitCode == 0, $"virtigo test ended with {result.ExitCode}:\n{result.Output}\n{result.Error}\n{said}");
        TestContext.Current.TestOutputHelper?.WriteLine(result.Output + result.Error);
    }

    /// <summary>What was installed in a guest that boots from no disk boots from its disk, on the host of the dom0: its boot loader was put in from outside.</summary>
    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task An_appliance_is_installed_in_a_guest_and_boots_there_and_by_its_own_boot_loader_elsewhere()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-xen-made");
        try
        {
            var paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? folder.FullName : null);
            await using (XenBed bed = await XenBed.StartAsync(lab, BedStore.Whole))
            {
                await bed.Dom0.RunAsync("echo 'hostname: made-by-xen' >/opt/made.yml", Cancel);
                Machines.CommandResult result = await bed.CommandAsync("build", "/opt/made.yml", "--hypervisor", "xen", "--offline");
                TestContext.Current.TestOutputHelper?.WriteLine(result.Output + result.Error);
                string said = result.ExitCode == 0 ? "" : await bed.Dom0.RunAsync($"cd {XenGround.Home}/state/reports/*; tail -n 60 *.log", Cancel);
                Assert.True(result.ExitCode == 0, $"virtigo build ended with {result.ExitCode}:\n{result.Output}\n{result.Error}\n{said}");
                StoredImage golden = await lab.Golden;
                string images = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? XenGround.Home : null).Images;
                string key = (await bed.Dom0.RunAsync($"cd {images} && ls | grep -vx {golden.Key}", Cancel)).Trim();
                Directory.CreateDirectory(paths.Images);
                await bed.Dom0.CopyOutAsync($"{images}/{key}", Path.Combine(paths.Images, key), Cancel);
            }

            StoredImage made = new ImageStore(paths).Find("made");
            Assert.Equal("xen", Assert.Single(made.Manifest.Proofs).Hypervisor.Name);
            using IDisposable place = await lab.PlaceAsync();
            ImageProof proof = await new ImageProver(paths).ProveAsync(made, new QemuHypervisor(paths), null, TestContext.Current.SendDiagnosticMessage, Cancel);
            Assert.Equal("qemu", proof.Hypervisor.Name);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static string[] Classes => [nameof(XenPvGuestTests), nameof(XenPvhGuestTests)];

    private static string[] Only(string type, string test) => ["--filter-method", $"*.{type}.{test}"];

    private static bool IsAsExpected(InnerTest test) => test.Status == "passed";

    private static void ExpectPassed(IReadOnlyList<InnerTest> tests)
    {
        foreach (InnerTest test in tests)
        {
            TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant($"{test.Status} {test.Name} ({test.Time.TotalSeconds:0} s)"));
        }

        Assert.True(tests.All(IsAsExpected),
            string.Join("\n\n", tests.Where(test => !IsAsExpected(test)).Select(test => $"{test.Status} {test.Name}\n{test.Message}")));
    }
}
