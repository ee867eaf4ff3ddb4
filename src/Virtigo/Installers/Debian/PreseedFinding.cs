namespace Virtigo.Installers.Debian;

/// <summary>How bad a finding in a preseed file is.</summary>
public enum PreseedSeverity
{
    /// <summary>Worth knowing; the install works.</summary>
    Note,

    /// <summary>The install works but its result is probably not what was meant.</summary>
    Warning,

    /// <summary>The answer is ignored, refused, or makes the result unsafe.</summary>
    Error,
}

/// <summary>Something wrong in a preseed file.</summary>
/// <param name="Line">The line, from 1.</param>
/// <param name="Column">The column, from 1.</param>
/// <param name="Severity">How bad it is.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Hint">What to write instead, or null.</param>
public sealed record PreseedFinding(int Line, int Column, PreseedSeverity Severity, string Message, string? Hint);
