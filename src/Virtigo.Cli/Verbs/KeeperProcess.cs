using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Virtigo.Cli.Output;

namespace Virtigo.Cli.Verbs;

/// <summary>Starts the process that keeps an environment: this very program, in a session of its own, with no stream of the caller's.</summary>
internal static class KeeperProcess
{
    /// <summary>The hidden verb that it runs.</summary>
    public const string VerbName = "keep";

    private const int MostLetters = 1 << 20;

    // The caller may have left descriptors open, and would wait for them to close.
    private const string Detach = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec \"$@\"";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <summary>Starts it and waits until its environment can be used.</summary>
    /// <param name="run">Who waits.</param>
    /// <param name="arguments">The verb's.</param>
    /// <param name="slow">What to say when it takes its time; null when that is not expected.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="VirtigoException">What went wrong in it.</exception>
    public static async Task<EnvironmentLine> StartAsync(Invocation run, IReadOnlyList<string> arguments, string? slow, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("setsid") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string word in (string[])["--", "/bin/sh", "-c", Detach, "sh", .. SelfCommand.Words, VerbName, .. arguments])
        {
            start.ArgumentList.Add(word);
        }

        using Process keeper = Start(start);
        keeper.StandardInput.Close();
        Task<string> complaints = keeper.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            Task<string?> first = FirstLineAsync(keeper.StandardOutput, cancellationToken);
            if (await Task.WhenAny(first, Task.Delay(s_patience, run.Host.Clock, cancellationToken)) != first)
            {
                run.People(slow ?? "Starting takes a while; other environments may use the host's memory (virtigo ps).");
            }

            return Read(await first) ?? throw new VirtigoException(FailureKind.Internal,
                $"The process that was to keep the environment ended without a word to us. {Tail(await complaints)}", "Try: virtigo up FILE --foreground");
        }
        catch (OperationCanceledException)
        {
            keeper.Kill();
            throw;
        }
    }

    /// <summary>Whether a process does nothing but keep an environment.</summary>
    public static bool IsKeeper(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/cmdline").Split('\0').Contains(VerbName);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new VirtigoException(FailureKind.Host, "setsid is not installed.", "apt install util-linux");
        }
    }

    private static EnvironmentLine? Read(string? line)
    {
        try
        {
            KeepReport? report = line is null ? null : JsonSerializer.Deserialize(line, CliJson.Compact.KeepReport);
            return report?.Error is { } error
                ? throw new VirtigoException((FailureKind)error.ExitCode, error.Message, error.Hint) { ReportDirectory = error.Report }
                : report?.Environment;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static async Task<string?> FirstLineAsync(StreamReader output, CancellationToken cancellationToken)
    {
        var line = new StringBuilder();
        char[] buffer = new char[4096];
        while (line.Length < MostLetters && await output.ReadAsync(buffer, cancellationToken) is > 0 and int read)
        {
            int end = Array.IndexOf(buffer, '\n', 0, read);
            line.Append(buffer, 0, end < 0 ? read : end);
            if (end >= 0)
            {
                return line.ToString();
            }
        }

        return null;
    }

    private static string Tail(string text) => text.Length == 0 ? "" : "It said: " + text[^Math.Min(text.Length, 2000)..].Trim();
}
