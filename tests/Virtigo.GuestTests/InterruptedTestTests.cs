using System.Diagnostics;
using System.Globalization;
using Virtigo.Host;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>However a run of tests is ended, nothing of it stays on the host.</summary>
[Collection(EnvironmentGuests.Name)]
public sealed class InterruptedTestTests(Lab lab, EnvironmentFixture fixture)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("KILL", 137)]
    public async Task A_run_that_is_ended_in_the_middle_leaves_nothing(string signal, int exitCode)
    {
        await fixture.Ready;
        string file = Path.Combine(fixture.Folder.FullName, "endless.yml");
        await File.WriteAllTextAsync(file, EnvironmentFixture.Machines + "\ntests:\n  never ends:\n    - client: echo begun > /dev/ttyS0; sleep 3600\n", Cancel);

        using Process run = lab.Start("test", file);
        int[] guests = await GuestsAsync(run);
        string[] held = Held(run);
        Assert.True(held.Length >= 3, string.Join(' ', held));
        await Tool.RunAsync("kill", ["-" + signal, run.Id.ToString(CultureInfo.InvariantCulture)], Cancel);
        await run.WaitForExitAsync(Cancel).WaitAsync(s_limit, Cancel);

        Assert.Equal(exitCode, run.ExitCode);
        foreach (int guest in guests)
        {
            await GoneAsync(guest);
        }

        // What a killed process leaves in folders is gone with the next one that works there.
        using (SocketFolder.Create(lab.Paths))
        {
            WorkFolder.Sweep(lab.Paths);
        }

        await using (await fixture.ForkAsync())
        {
        }

        Assert.All(held, path => Assert.False(File.Exists(path) || Directory.Exists(path), path));
    }

    /// <summary>The folders and reservations that a run holds: it has their locks open.</summary>
    private string[] Held(Process run) =>
    [
        .. Directory.EnumerateFiles($"/proc/{run.Id}/fd").Select(file => new FileInfo(file).LinkTarget ?? "")
            .Where(file => ((string[])[lab.Paths.Work, lab.Paths.Runtime, lab.Paths.Budget]).Contains(Path.GetDirectoryName(file)) && Path.GetFileName(file) != "queue")
            .SelectMany(file => file.EndsWith(".lock", StringComparison.Ordinal) ? (string[])[file, file[..^".lock".Length]] : [file]),
    ];

    /// <summary>The guests of a run, once both are there.</summary>
    private static async Task<int[]> GuestsAsync(Process run)
    {
        using var limit = new CancellationTokenSource(s_limit);
        while (true)
        {
            int[] guests =
            [
                .. Directory.EnumerateDirectories($"/proc/{run.Id}/task").SelectMany(task => File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries))
                    .Select(id => int.Parse(id, CultureInfo.InvariantCulture)).Where(id => CommandOf(id).Contains("qemu-system", StringComparison.Ordinal)),
            ];
            if (guests.Length == 2)
            {
                return guests;
            }

            await Task.Delay(100, limit.Token);
        }
    }

    private static async Task GoneAsync(int process)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (CommandOf(process).Length > 0)
        {
            await Task.Delay(20, limit.Token);
        }
    }

    private static string CommandOf(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }
}
