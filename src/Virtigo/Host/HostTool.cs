using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Virtigo.Host;

/// <summary>Runs a program of the host to its end. The program dies with Virtigo, however Virtigo ends.</summary>
internal static class HostTool
{
    private const int MaximumOutput = 256 * 1024;
    private static readonly Lazy<BlockingCollection<Action>> Owner = new(StartOwner);

    /// <summary>Finds a program in the search path, or in the system's folders, which are not always in an ordinary user's path.</summary>
    /// <returns>The absolute path, or null.</returns>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Concat(["/usr/bin", "/usr/sbin", "/bin", "/sbin"])
            .Where(Path.IsPathRooted)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(IsProgram);

    /// <summary>Runs a program and waits for it; it is killed when the token is cancelled.</summary>
    /// <param name="program">A name in the search path.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="onOutput">Given each piece of its output as it comes, or null.</param>
    /// <param name="cancellationToken">Kills the program.</param>
    /// <exception cref="VirtigoException">The program is not installed (<see cref="FailureKind.Host"/>).</exception>
    public static async Task<ToolResult> RunAsync(
        string program, IReadOnlyList<string> arguments, Action<string>? onOutput, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        string path = Find(program) ?? throw new VirtigoException(FailureKind.Host, $"{program} is not installed.", "Run: virtigo doctor");
        ProcessStartInfo start = Describe(path, arguments);
        using Process process = await StartAsync(start);
        process.StandardInput.Close();
        await using CancellationTokenRegistration kill = cancellationToken.Register(() => Kill(process));
        string[] texts = await Task.WhenAll(
            ReadAsync(process.StandardOutput, onOutput), ReadAsync(process.StandardError, null));
        await process.WaitForExitAsync(CancellationToken.None);
        cancellationToken.ThrowIfCancellationRequested();
        return new ToolResult(process.ExitCode, texts[0], texts[1], CommandLine(program, arguments));
    }

    /// <summary>A command as it can be pasted into a shell.</summary>
    public static string CommandLine(string program, IEnumerable<string> arguments) =>
        string.Join(' ', arguments.Prepend(program).Select(Quote));

    private static ProcessStartInfo Describe(string path, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        start.Environment["LC_ALL"] = "C";
        string? keeper = Find("setpriv");
        start.FileName = keeper ?? path;
        foreach (string argument in keeper is null ? arguments : ["--pdeathsig", "KILL", "--", path, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    private static string Quote(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "-_./=:,@+%".Contains(c, StringComparison.Ordinal))
            ? text
            : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static bool IsProgram(string path)
    {
        const UnixFileMode execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        return File.Exists(path) && (File.GetUnixFileMode(path) & execute) != 0;
    }

    private static Task<Process> StartAsync(ProcessStartInfo start)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Owner.Value.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(start)!);
            }
            catch (Exception error) when (error is Win32Exception or IOException or InvalidOperationException)
            {
                started.SetException(new VirtigoException(FailureKind.Host, $"{start.FileName} cannot be started: {error.Message}", null, error));
            }
        });
        return started.Task;
    }

    // The kernel sends the parent-death signal when the *thread* that forked ends, so one thread starts every child and never ends.
    private static BlockingCollection<Action> StartOwner()
    {
        var work = new BlockingCollection<Action>();
        var thread = new Thread(() =>
        {
            foreach (Action action in work.GetConsumingEnumerable())
            {
                action();
            }
        })
        { IsBackground = true, Name = "owner of host tools" };
        thread.Start();
        return work;
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    private static async Task<string> ReadAsync(StreamReader reader, Action<string>? onOutput)
    {
        var text = new StringBuilder();
        char[] buffer = new char[4096];
        int count;
        while ((count = await reader.ReadAsync(buffer)) > 0)
        {
            onOutput?.Invoke(new string(buffer, 0, count));
            text.Append(buffer, 0, Math.Min(count, MaximumOutput - text.Length));
        }

        return text.ToString();
    }
}

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">The beginning of its standard output.</param>
/// <param name="Error">The beginning of its standard error.</param>
/// <param name="CommandLine">The command, ready to be pasted into a shell.</param>
internal sealed record ToolResult(int ExitCode, string Output, string Error, string CommandLine);
