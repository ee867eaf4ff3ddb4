using System.Text.Json.Serialization;

namespace Virtigo.Host;

/// <summary>Everything known about a failure, as it goes into its report folder.</summary>
internal sealed record FailureReport
{
    /// <summary>What failed, for people and for the folder's name: the appliance's name.</summary>
    public required string Name { get; init; }

    /// <summary>What kind of failure it is.</summary>
    public required FailureKind Kind { get; init; }

    /// <summary>What is wrong.</summary>
    public required string Cause { get; init; }

    /// <summary>What to do about it, or null.</summary>
    public string? Hint { get; init; }

    /// <summary>The command that does the same again.</summary>
    public required string Rerun { get; init; }

    /// <summary>The stage that was under way, or null before the first.</summary>
    public string? Stage { get; init; }

    /// <summary>Seconds since the build began.</summary>
    public double ElapsedSeconds { get; init; }

    /// <summary>The hypervisor's command line, or null when none was started.</summary>
    public string? HypervisorCommand { get; init; }

    /// <summary>The last lines of the console, oldest first.</summary>
    public IReadOnlyList<string> LastConsoleLines { get; init; } = [];

    /// <summary>Other facts worth keeping: tool version, accelerator, mirror.</summary>
    public IReadOnlyDictionary<string, string> Facts { get; init; } = new Dictionary<string, string>();

    /// <summary>The report of an exception.</summary>
    public static FailureReport Of(Exception error, string name, string rerun) => new()
    {
        Name = name,
        Kind = (error as VirtigoException)?.Kind ?? FailureKind.Internal,
        Cause = error is VirtigoException ? error.Message : error.ToString(),
        Hint = (error as VirtigoException)?.Hint,
        Rerun = rerun,
    };
}

/// <summary>A file to keep in a report, under the name given: either a file of the host that is copied, or a text.</summary>
/// <param name="Name">A plain file name, as <c>syslog</c>.</param>
/// <param name="SourcePath">The file to copy; one that is missing is left out.</param>
/// <param name="Text">The text to write when there is no source.</param>
internal sealed record ReportFile(string Name, string? SourcePath = null, string? Text = null);

/// <summary>The report as <c>report.json</c>.</summary>
internal sealed record FailureReportDocument(
    int Schema, string Name, string Kind, int ExitCode, string Cause, string? Hint, string Rerun, string? Stage, double ElapsedSeconds,
    DateTimeOffset At, string? HypervisorCommand, IReadOnlyList<string> LastConsoleLines, IReadOnlyDictionary<string, string> Facts,
    IReadOnlyList<string> Files);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(FailureReportDocument))]
internal sealed partial class FailureReportJson : JsonSerializerContext;
