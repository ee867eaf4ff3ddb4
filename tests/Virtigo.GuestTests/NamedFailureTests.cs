using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>An install that cannot go on says why, in the words of the installer.</summary>
public sealed class NamedFailureTests(Lab lab)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_question_without_an_answer_is_named_with_its_text_and_the_line_that_answers_it()
    {
        VirtigoException stall = await Assert.ThrowsAsync<VirtigoException>(
            () => InstallAsync(answer => answer.Question != "partman/confirm_nooverwrite" && answer.Question != "partman/confirm"));

        Assert.Equal(FailureKind.Stalled, stall.Kind);
        Assert.Contains("partman/confirm", stall.Message, StringComparison.Ordinal);
        Assert.Contains("Write the changes to disk", stall.Message.ReplaceLineEndings(" "), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("boolean", stall.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_archive_that_the_guest_cannot_reach_is_named()
    {
        VirtigoException failure = await Assert.ThrowsAsync<VirtigoException>(() => InstallAsync(_ => true, withArchives: false));

        Assert.Equal(FailureKind.Archive, failure.Kind);
    }

    [Fact]
    public async Task A_guest_that_wants_more_than_it_may_have_ends_its_build_with_a_report_and_nothing_else()
    {
        await lab.Golden;
        using IDisposable place = await lab.PlaceAsync();
        CommandResult result = await lab.RunAsync("build", lab.Example, "--name", "greedy", "--force", "--traffic-limit", "1MiB");

        Assert.Equal((int)FailureKind.Install, result.ExitCode);
        Assert.Contains("more than 1 MiB", result.People, StringComparison.Ordinal);
        Assert.Contains("--traffic-limit", result.People, StringComparison.Ordinal);
        Assert.DoesNotContain(new ImageStore(lab.Paths).List().Images, image => image.Name == "greedy");
    }

    private async Task InstallAsync(Func<Answer, bool> keep, bool withArchives = true)
    {
        using IDisposable place = await lab.PlaceAsync();
        InstallerBuild installer = await lab.Installer;
        AppliancePlan plan = await lab.PlanAsync();
        using var client = new ArchiveClient(new Pool(lab.Paths.Pool), new ArchiveOptions());
        PlanArchives archives = await PlanArchives.OpenAsync(client, plan, Cancel);
        var proxy = new ArchiveProxy(withArchives ? archives.Routes() : [], client.Pool, new ArchiveProxyOptions());
        var hypervisor = new QemuHypervisor(lab.Paths);
        AcceleratorReport accelerator = await hypervisor.ProbeAsync(installer.KernelPath, Cancel);

        using SocketFolder sockets = SocketFolder.Create(lab.Paths);
        using WorkFolder work = WorkFolder.Create(lab.Paths, "test");
        string preseed = PreseedWriter.Write([.. DebianAnswers.Shared(plan.ToDebianChoices()).Where(keep)], redact: false);
        string initrd = Path.Combine(work.Path, "initrd");
        await InitrdComposer.ComposeAsync(initrd, installer, InstallHooks.Shared(preseed, plan.Mirror.Value.Authority, plan.Disk.Value, plan.InstallMachine()), Cancel);
        string disk = Path.Combine(work.Path, "disk.qcow2");
        await QemuImage.CreateAsync(disk, plan.DiskBytes.Value, Cancel);
        var watcher = new InstallWatcher(new InstallWatcherOptions
        {
            Speed = accelerator.Speed,
            Templates = await TemplateCatalog.OfAsync(installer, Cancel),
        });
        await new DebianInstall(hypervisor, proxy, watcher).SaveWaitingAsync(
            new InstallJob
            {
                Name = "failing",
                SocketFolder = sockets.Path,
                LogFolder = work.Path,
                DiskPath = disk,
                KernelPath = installer.KernelPath,
                InitrdPath = initrd,
                CommandLine = DebianBoot.CommandLine(plan.InstallMachine(), DebianBoot.CheapToEmulate),
                MemoryMiB = 1024,
                Accelerator = accelerator.Accelerator,
                ArchivePorts = new HashSet<int> { 80 },
            },
            Path.Combine(work.Path, "state"), Cancel);
    }
}
