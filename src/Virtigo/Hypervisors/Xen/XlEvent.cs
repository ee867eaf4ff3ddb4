using System.Globalization;
using System.Text.RegularExpressions;

namespace Virtigo.Hypervisors.Xen;

/// <summary>Why a domain says that it stopped: the numbers of Xen's interface.</summary>
internal enum DomainEnd
{
    /// <summary>Its system powered it off.</summary>
    PowerOff = 0,

    /// <summary>Its system rebooted it.</summary>
    Reboot = 1,

    /// <summary>It suspended itself.</summary>
    Suspend = 2,

    /// <summary>It crashed.</summary>
    Crash = 3,

    /// <summary>Its watchdog expired.</summary>
    Watchdog = 4,

    /// <summary>It resets itself to load another kernel.</summary>
    SoftReset = 5,
}

/// <summary>What a line of the xl that watches a domain tells: it is made, it has stopped, or it is gone.</summary>
/// <param name="Domain">The domain's number.</param>
/// <param name="End">Why it stopped; null when it did not.</param>
/// <param name="Gone">It was destroyed.</param>
internal sealed partial record XlEvent(int Domain, DomainEnd? End, bool Gone)
{
    /// <summary>The longest line of xl's that is read, in bytes.</summary>
    public const int LongestLine = 16 << 10;

    /// <summary>Reads a line.</summary>
    /// <returns>Null when it tells nothing of that.</returns>
    public static XlEvent? Parse(string line) =>
        Made().Match(line) is { Success: true } made ? Of(made, null, false)
        : Stopped().Match(line) is { Success: true } stopped
            ? byte.TryParse(stopped.Groups["code"].ValueSpan, CultureInfo.InvariantCulture, out byte code) ? Of(stopped, (DomainEnd)code, false) : null
        : Destroyed().Match(line) is { Success: true } destroyed ? Of(destroyed, null, true)
        : null;

    private static XlEvent? Of(Match match, DomainEnd? end, bool gone) =>
        ushort.TryParse(match.Groups["domain"].ValueSpan, CultureInfo.InvariantCulture, out ushort domain) ? new XlEvent(domain, end, gone) : null;

    [GeneratedRegex(@"\AWaiting for domain [A-Za-z0-9._-]+ \(domid (?<domain>[0-9]{1,5})\) to die", RegexOptions.NonBacktracking)]
    private static partial Regex Made();

    [GeneratedRegex(@"\ADomain (?<domain>[0-9]{1,5}) has shut down, reason code (?<code>[0-9]{1,3}) ", RegexOptions.NonBacktracking)]
    private static partial Regex Stopped();

    [GeneratedRegex(@"\ADomain (?<domain>[0-9]{1,5}) has been destroyed", RegexOptions.NonBacktracking)]
    private static partial Regex Destroyed();
}
