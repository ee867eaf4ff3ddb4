using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Virtigo.Cli.Output;

internal sealed record ErrorReport(ErrorDetails Error);

internal sealed record ErrorDetails(string Kind, int ExitCode, string Message, string? Hint, string? Report);

internal sealed record ExplainReport(string Name, string Fingerprint, IReadOnlyList<ExplainLine> Values, DateTimeOffset? SavedInstaller,
    string? SavedAfter);

internal sealed record ExplainLine(string Key, string Value, string Origin, string Kind);

internal sealed record WrittenReport(string Path, int? Files, long? Bytes);

internal sealed record VersionReport(string Version, string Runtime);

internal sealed record LintReport(string File, IReadOnlyList<LintLine> Findings);

internal sealed record LintLine(int Line, int Column, string Severity, string Message, string? Hint);

internal sealed record DoctorLine(string Name, string Verdict, string Detail, string? Mend);

internal sealed record HypervisorLine(string Name, bool Usable, string? Version, string? Reason, string? Mend, IReadOnlyList<FeatureLine> Features);

internal sealed record FeatureLine(string Name, bool Has, string? Reason);

internal sealed record ProofLine(string Hypervisor, string Verdict, string? Accelerator, double? Seconds, string? Reason, string? Report);

internal sealed record ProofReport(string Name, string Key, IReadOnlyList<ProofLine> Proofs);

internal sealed record DoctorReport(bool Ready, IReadOnlyList<DoctorLine> Findings, IReadOnlyList<HypervisorLine> Hypervisors);

/// <summary>The settings of profiles.</summary>
internal sealed record ProfileShowReport(IReadOnlyList<SettingLine> Settings, IReadOnlyList<NotApplicableLine> NotApplicable);

internal sealed record SettingLine(string Name, string What, string Why, string Read, string Applied, string Reverted, string AtBuild, IReadOnlyList<string> Guests, string? NotFor);

internal sealed record NotApplicableLine(string Name, string Why);

/// <summary>What was found of a machine, and what was changed in it.</summary>
internal sealed record ProfileCheckReport(string Machine, string Guest, bool Healthy, IReadOnlyList<ProfileLine> Findings, IReadOnlyList<ProfileStepLine> Changed);

internal sealed record ProfileLine(string Setting, string Verdict, string Text)
{
    public string? Meaning { get; init; }

    public double? Number { get; init; }

    public double? Error { get; init; }

    public string? Unit { get; init; }

    public string? Mend { get; init; }
}

internal sealed record ProfileStepLine(string Setting, string Target, string Before, string After, string? Left);

internal sealed record ProfileRevertReport(string Machine, IReadOnlyList<ProfileStepLine> Changed);

internal sealed record ImageLine(string Name, string Key, DateTimeOffset Created, long Bytes, long DiskBytes, string Path);

internal sealed record BrokenLine(string Key, string Path, string Problem);

internal sealed record ImagesReport(IReadOnlyList<ImageLine> Images, IReadOnlyList<BrokenLine> Broken);

internal sealed record PruneReport(IReadOnlyList<string> Removed, IReadOnlyList<string> InUse, long FreedBytes, bool DryRun);

internal sealed record ExportReport(string Name, string Key, string Path, string Format, long Bytes)
{
    public string? Sha256 { get; init; }

    public required IReadOnlyList<string> Beside { get; init; }
}

internal sealed record DefinitionReport(IReadOnlyList<DefinitionLine> Files);

internal sealed record DefinitionLine(string Name, string? Path, string? Content);

internal sealed record VerifyReport(string Name, string Key, bool Intact, string Expected, string Actual)
{
    /// <summary>What differs from the manifest; null when the packages could not be read.</summary>
    public IReadOnlyList<DifferenceLine>? Packages { get; init; }

    public string? NotRead { get; init; }
}

internal sealed record DiffReport(string Before, string After, bool Same, IReadOnlyList<DifferenceLine> Differences, IReadOnlyList<string> NotCompared);

internal sealed record DifferenceLine(string Aspect, string Name, string? Before, string? After);

/// <summary>A boot loader's chain and the disk it is on.</summary>
internal sealed record BootReport(bool Boots, IReadOnlyList<string> Done, IReadOnlyList<BootLine> Chain, Images.BootLayout Layout);

internal sealed record BootLine(string Firmware, string Link, string Verdict, string Text);

/// <summary>One event of a build; times in seconds, fractions from 0 to 1.</summary>
internal sealed record BuildLine(
    string Event, double At, string? Stage = null, double? Fraction = null, string? Detail = null, double? Took = null, double? Remaining = null)
{
    /// <summary>The appliance, where several are built.</summary>
    public string? Appliance { get; init; }

    /// <summary>The hypervisor that it is for, where there are several.</summary>
    public string? Hypervisor { get; init; }
}

/// <summary>The last line of a build.</summary>
internal sealed record BuildDoneLine(
    string Event, string Name, string Key, string Path, bool AlreadyBuilt, long Bytes, double Seconds, double BootSeconds);

internal sealed record DryRunReport(string Name, string Fingerprint, bool AlreadyBuilt, string? Key);

/// <summary>One event of a run of tests; times in seconds.</summary>
internal sealed record TestLine(string Event, double At)
{
    public string? Test { get; init; }

    public int? Attempt { get; init; }

    public int? Number { get; init; }

    public string? Step { get; init; }

    public string? Place { get; init; }

    public IReadOnlyList<string>? Machines { get; init; }

    public string? Outcome { get; init; }

    public double? Seconds { get; init; }

    public string? Message { get; init; }

    public string? Output { get; init; }

    public string? Error { get; init; }

    public string? Artifacts { get; init; }

    /// <summary>What runs the tests, where several hypervisors do.</summary>
    public string? Hypervisor { get; init; }

    public int? Tests { get; init; }

    public int? Parallel { get; init; }

    public ulong? Seed { get; init; }
}

/// <summary>An environment that is up.</summary>
internal sealed record EnvironmentLine(
    string Name, string File, DateTimeOffset Since, int ProcessId, IReadOnlyList<MachineLine> Machines, IReadOnlyList<ForwardLine> Forwards)
{
    /// <summary>What was refused to the machines; null for nothing.</summary>
    public IReadOnlyList<string>? Refusals { get; init; }
}

internal sealed record MachineLine(string Name, string State, int MemoryMiB, int Cpus, IReadOnlyList<AddressLine> Addresses);

internal sealed record AddressLine(string Network, string Ipv4, string Ipv6);

internal sealed record ForwardLine(string Machine, int Port, string Endpoint);

internal sealed record PsReport(IReadOnlyList<EnvironmentLine> Environments);

/// <summary>What <c>virtigo step</c> did.</summary>
internal sealed record StepsReport(IReadOnlyList<StepLine> Steps);

internal sealed record StepLine(
    int Number, string Step, string Place, IReadOnlyList<string> Machines, string Outcome, double Seconds, string Output, string Error, bool Truncated)
{
    public string? Message { get; init; }

    public string? Hint { get; init; }
}

/// <summary>What <c>virtigo cp</c> did.</summary>
internal sealed record CopyReport(IReadOnlyList<CopyLine> Copies);

internal sealed record CopyLine(string Source, string Target, IReadOnlyList<string> LeftOut);

/// <summary>The one line of a process that keeps an environment.</summary>
internal sealed record KeepReport(EnvironmentLine? Environment, ErrorDetails? Error);

/// <summary>The shapes of everything the command prints as JSON. Names are part of its interface.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ErrorReport))]
[JsonSerializable(typeof(ExplainReport))]
[JsonSerializable(typeof(WrittenReport))]
[JsonSerializable(typeof(VersionReport))]
[JsonSerializable(typeof(LintReport))]
[JsonSerializable(typeof(DoctorReport))]
[JsonSerializable(typeof(ProfileShowReport))]
[JsonSerializable(typeof(ProfileCheckReport))]
[JsonSerializable(typeof(ProfileRevertReport))]
[JsonSerializable(typeof(ProofReport))]
[JsonSerializable(typeof(ImagesReport))]
[JsonSerializable(typeof(PruneReport))]
[JsonSerializable(typeof(ExportReport))]
[JsonSerializable(typeof(DefinitionReport))]
[JsonSerializable(typeof(VerifyReport))]
[JsonSerializable(typeof(DiffReport))]
[JsonSerializable(typeof(Images.ExtractedBoot))]
[JsonSerializable(typeof(BootReport))]
[JsonSerializable(typeof(BuildLine))]
[JsonSerializable(typeof(BuildDoneLine))]
[JsonSerializable(typeof(DryRunReport))]
[JsonSerializable(typeof(TestLine))]
[JsonSerializable(typeof(EnvironmentLine))]
[JsonSerializable(typeof(PsReport))]
[JsonSerializable(typeof(KeepReport))]
[JsonSerializable(typeof(StepsReport))]
[JsonSerializable(typeof(CopyReport))]
[JsonSerializable(typeof(Images.ImageManifest))]
internal sealed partial class CliJson : JsonSerializerContext
{
    /// <summary>One line per object.</summary>
    public static CliJson Compact { get; } = new(Make(indented: false));

    /// <summary>For reports that a person may look at too.</summary>
    public static CliJson Indented { get; } = new(Make(indented: true));

    // Relaxed: the text goes to a terminal or a pipe, never into a web page.
    private static JsonSerializerOptions Make(bool indented) => new()
    {
        WriteIndented = indented,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };
}
