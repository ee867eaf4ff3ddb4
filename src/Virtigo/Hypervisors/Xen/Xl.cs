using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Xen;

/// <summary>Runs xl, Xen's own tool.</summary>
internal static class Xl
{
    /// <summary>The program.</summary>
    public const string Program = "xl";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    /// <summary>The value of a line of <c>xl info</c>; null when there is none.</summary>
    public static string? Info(string text, string key)
    {
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            int colon = line.IndexOf(':');
            if (colon > 0 && line[..colon].TrimEnd().SequenceEqual(key))
            {
                return line[(colon + 1)..].Trim().ToString();
            }
        }

        return null;
    }

    /// <summary>Whether Xen can run PVH guests here, by its line of what its processor helps with.</summary>
    /// <param name="info">What <c>xl info</c> says.</param>
    public static bool HasPvh(string info)
    {
        string[] words = Help(info);
        return words.Contains("hvm") && (words.Contains("hap") || words.Contains("shadow"));
    }

    /// <summary>Whether Xen can run HVM guests here, by the same line.</summary>
    /// <param name="info">What <c>xl info</c> says.</param>
    public static bool HasHvm(string info) => Help(info).Contains("hvm");

    /// <summary>The memory of domains, in MiB.</summary>
    /// <param name="list">What <c>xl list</c> says: a line for each, beginning with its name, its number and its memory.</param>
    /// <param name="prefix">What their names begin with.</param>
    public static long MemoryMiB(string list, string prefix) =>
        list.Split('\n').Where(line => line.StartsWith(prefix, StringComparison.Ordinal)).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Sum(words => words.Length > 2 && uint.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out uint mib) ? mib : 0L);

    private static string[] Help(string info) => (Info(info, "virt_caps") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Gives a command about a domain.</summary>
    /// <param name="problem">What it means that this fails, for a message.</param>
    /// <param name="arguments">The command.</param>
    /// <param name="cancellationToken">Kills xl.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> with its words.</exception>
    public static async Task CommandAsync(string problem, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var command = new ChildCommand(Program, arguments);
        ToolResult result = await RunAsync(command, cancellationToken);
        if (result.ExitCode != 0)
        {
            throw new VirtigoException(FailureKind.Guest, $"{problem}: {Words(result)}", "Rerun: " + command);
        }
    }

    /// <summary>Destroys a domain, by its name or number. That there is none is no failure.</summary>
    public static async Task DestroyAsync(string domain, CancellationToken cancellationToken)
    {
        ToolResult result = await RunAsync(new ChildCommand(Program, ["destroy", domain]), cancellationToken);
        if (result.ExitCode != 0 && (await RunAsync(new ChildCommand(Program, ["domid", domain]), cancellationToken)).ExitCode == 0)
        {
            throw new VirtigoException(FailureKind.Host, $"The domain {domain} cannot be destroyed: {Words(result)}", "Rerun: xl destroy " + domain);
        }
    }

    /// <summary>A domain's number as an argument.</summary>
    public static string Number(int domain) => domain.ToString(CultureInfo.InvariantCulture);

    private static async Task<ToolResult> RunAsync(ChildCommand command, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Limit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await Tool.TryRunAsync(command, ReadOnlyMemory<byte>.Empty, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VirtigoException(FailureKind.Host, $"{Program} did not end within {Limit.TotalSeconds} s.", "Rerun: " + command);
        }
    }

    private static string Words(ToolResult result) =>
        result.Error.Trim() is { Length: > 0 } said ? said : $"xl ended with exit code {result.ExitCode}, saying nothing.";
}
