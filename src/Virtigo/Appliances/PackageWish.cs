using System.Text.RegularExpressions;

namespace Virtigo.Appliances;

/// <summary>A package as a spec asks for it: <c>nginx</c>, <c>nginx/SUITE</c>, <c>nginx=VERSION</c>, <c>task:ssh-server</c>, <c>-nano</c>.</summary>
/// <param name="Name">The package's name; a task's is that of the package that stands for it.</param>
/// <param name="Suite">The suite it is to come from, or null.</param>
/// <param name="Version">The version it is to have, or null.</param>
/// <param name="Remove">Whether it is to be absent.</param>
internal sealed partial record PackageWish(string Name, string? Suite, string? Version, bool Remove)
{
    private const string Task = "task:";

    /// <summary>The package as apt-get install is told of it.</summary>
    public string Apt => Remove ? Name + "-" : Version is not null ? $"{Name}={Version}" : Suite is not null ? $"{Name}/{Suite}" : Name;

    /// <summary>Reads a wish.</summary>
    /// <param name="text">The wish, which <see cref="Problem"/> finds nothing wrong with.</param>
    public static PackageWish Parse(string text)
    {
        if (text.StartsWith(Task, StringComparison.Ordinal))
        {
            // Debian's archive marks no package with a task: each task is a package of its own, which tasksel installs as well.
            return new PackageWish("task-" + text[Task.Length..], null, null, Remove: false);
        }

        if (text.StartsWith('-'))
        {
            return new PackageWish(text[1..], null, null, Remove: true);
        }

        int at = text.IndexOfAny(['/', '=']);
        return at < 0 ? new PackageWish(text, null, null, Remove: false)
            : text[at] == '/' ? new PackageWish(text[..at], text[(at + 1)..], null, Remove: false)
            : new PackageWish(text[..at], null, text[(at + 1)..], Remove: false);
    }

    /// <summary>What is wrong with a wish as the rest of a sentence that starts with it, or null.</summary>
    public static string? Problem(string text)
    {
        if (text.StartsWith(Task, StringComparison.Ordinal))
        {
            return ValueChecks.Package(text[Task.Length..]) is null ? null : "is not a task: expected something like task:ssh-server";
        }

        if (text.StartsWith('-'))
        {
            return ValueChecks.Package(text[1..]) is { } wrong ? $"removes what {wrong}" : null;
        }

        int at = text.IndexOfAny(['/', '=']);
        return at < 0 ? ValueChecks.Package(text)
            : ValueChecks.Package(text[..at]) is { } problem ? problem
            : text[at] == '/' ? (SuitePattern().IsMatch(text[(at + 1)..]) ? null : "asks for no suite: expected something like nginx/trixie-backports")
            : VersionPattern().IsMatch(text[(at + 1)..]) ? null : "asks for no version: expected something like nginx=1.26.3-3";
    }

    [GeneratedRegex(@"\A[a-z][a-z0-9-]{0,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex SuitePattern();

    [GeneratedRegex(@"\A[0-9][A-Za-z0-9.+:~-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex VersionPattern();
}
