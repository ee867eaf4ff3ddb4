using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class WorkFolderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("virtigo-test-").FullName;

    private HostPaths Paths => new(_root, _root, _root, _root, _root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_folder_is_there_while_it_is_held_and_gone_afterwards()
    {
        using (var folder = WorkFolder.Create(Paths, "x"))
        {
            File.WriteAllText(Path.Combine(folder.Path, "a"), "a");
            Assert.Equal(0, WorkFolder.Sweep(Paths));
            Assert.True(File.Exists(Path.Combine(folder.Path, "a")));
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(Paths.Work));
    }

    [Fact]
    public void What_a_dead_process_left_is_swept_and_what_is_not_ours_stays()
    {
        Directory.CreateDirectory(Path.Combine(Paths.Work, "x-1", "deep"));
        File.WriteAllText(Path.Combine(Paths.Work, "x-1.lock"), "");
        File.WriteAllText(Path.Combine(Paths.Work, "x-2.lock"), "");
        Directory.CreateDirectory(Path.Combine(Paths.Work, "not-ours"));
        Assert.Equal(1, WorkFolder.Sweep(Paths));
        Assert.Equal(["not-ours"], Directory.EnumerateFileSystemEntries(Paths.Work).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Sweeping_never_takes_a_folder_that_is_being_made()
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        Task sweeper = Task.Run(
            () =>
            {
                while (!done.IsCancellationRequested)
                {
                    WorkFolder.Sweep(Paths);
                }
            },
            TestContext.Current.CancellationToken);
        for (int i = 0; i < 300; i++)
        {
            using var folder = WorkFolder.Create(Paths, "x");
            Assert.True(Directory.Exists(folder.Path) && File.Exists(folder.Path + ".lock"));
        }

        await done.CancelAsync();
        await sweeper;
        Assert.Empty(Directory.EnumerateFileSystemEntries(Paths.Work));
    }
}
