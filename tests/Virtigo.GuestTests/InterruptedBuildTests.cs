using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>Whatever ends a build, it leaves no process, no socket and no broken image.</summary>
public sealed partial class InterruptedBuildTests(Lab lab)
{
    private const int Interrupt = 2;
    private const int Kill = 9;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Interrupt, 130)]
    [InlineData(Kill, 128 + Kill)]
    public async Task A_build_that_is_ended_while_it_installs_leaves_nothing(int signal, int exitCode)
    {
        await lab.Golden;
        using IDisposable place = await lab.PlaceAsync();
        string name = $"ended-{signal}";
        using Process build = lab.Start("build", "debian", "--name", name, "--full", "--json");
        try
        {
            int guest = await GuestOfAsync(build, name);
            Assert.Equal(0, SendSignal(build.Id, signal));
            await build.WaitForExitAsync(Cancel).WaitAsync(s_patience, Cancel);
            await GoneAsync(guest);
        }
        finally
        {
            build.Kill();
        }

        Assert.Equal(exitCode, build.ExitCode);
        Assert.DoesNotContain(new ImageStore(lab.Paths).List().Images, image => image.Name == name);
        Assert.Empty(new ImageStore(lab.Paths).List().Broken);

        // What only a later start can see as left behind is swept by it.
        SocketFolder.Create(lab.Paths).Dispose();
        WorkFolder.Sweep(lab.Paths);
        Assert.DoesNotContain(Directory.Exists(lab.Paths.Work) ? Directory.EnumerateDirectories(lab.Paths.Work) : [], Abandoned);
    }

    /// <summary>The folder of a build under way elsewhere in these tests is locked by it.</summary>
    private static bool Abandoned(string folder)
    {
        using FileLock? free = FileLock.TryAcquire(folder + ".lock");
        return free is not null && Directory.Exists(folder);
    }

    private static async Task<int> GuestOfAsync(Process build, string name)
    {
        while (await build.StandardOutput.ReadLineAsync(Cancel).AsTask().WaitAsync(s_patience, Cancel) is { } line)
        {
            if (line.Contains("install: components", StringComparison.Ordinal))
            {
                return Guests(name).Single();
            }
        }

        throw new InvalidOperationException("the build ended before its guest started: " + await build.StandardError.ReadToEndAsync(Cancel));
    }

    private static async Task GoneAsync(int process)
    {
        try
        {
            using Process guest = Process.GetProcessById(process);
            await guest.WaitForExitAsync(Cancel).WaitAsync(s_patience, Cancel);
        }
        catch (ArgumentException)
        {
            // It is gone already.
        }
    }

    private static IEnumerable<int> Guests(string name) =>
        from folder in Directory.EnumerateDirectories("/proc")
        where int.TryParse(Path.GetFileName(folder), out _) && CommandLine(folder).Contains($"guest={name},", StringComparison.Ordinal)
        select int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture);

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline"));
        }
        catch (Exception ended) when (ended is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    // Safe: kill(2) takes two integers and touches no memory.
    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);
}
