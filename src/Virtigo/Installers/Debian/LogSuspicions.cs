using System.Text.RegularExpressions;

namespace Virtigo.Installers.Debian;

/// <summary>Recognises in the installer's log, kernel's included, what makes installs fail.</summary>
/// <param name="nearPackages">Names of packages near to a misspelt one, best first; none when unknown.</param>
internal sealed partial class LogSuspicions(Func<string, IEnumerable<string>> nearPackages)
{
    private const string AnotherMirror = "Try another mirror (mirror: in the spec), or try again later.";

    /// <summary>What a line makes suspect, or null.</summary>
    public Suspicion? Of(string program, string message) =>
        program is "kernel" or "" ? OfKernel(message) ?? OfPrograms(message)
        : program == "virtigo" && message.StartsWith(TargetSteps.FailureMark, StringComparison.Ordinal)
            ? new Suspicion(98, true, true, FailureKind.Install, $"A step of the spec failed in the guest: {Shown(After(message, TargetSteps.FailureMark))}.",
                "What it said is below; the whole log is in the report.")
        : OfPrograms(message);

    /// <summary>What a line of the kernel makes suspect, or null.</summary>
    public static Suspicion? OfKernel(string message)
    {
        if (message.Contains("Kernel panic - not syncing", StringComparison.Ordinal))
        {
            bool outOfMemory = message.Contains("memory", StringComparison.OrdinalIgnoreCase);
            return new Suspicion(100, true, true, FailureKind.Guest, $"The guest's kernel panicked: {Shown(After(message, "not syncing: "))}.",
                outOfMemory || message.Contains("Attempted to kill init", StringComparison.Ordinal)
                    ? "Give the guest more memory (memory: 1GiB or more)." : "See the console in the report.");
        }

        if (OutOfMemory().Match(message) is { Success: true } killed)
        {
            return new Suspicion(90, false, true, FailureKind.Guest,
                $"The guest ran out of memory and its kernel killed {killed.Groups["name"].Value}.",
                "Give it more memory, for example memory: 2GiB.");
        }

        if (DiskError().IsMatch(message))
        {
            return new Suspicion(80, false, true, FailureKind.Host, $"The guest could not use its disk: {Shown(message)}.",
                "Look at the host's free disk space (df) and its kernel log.");
        }

        return null;
    }

    private Suspicion? OfPrograms(string message)
    {
        if (message.Contains("No space left on device", StringComparison.Ordinal)
            || message.Contains("You don't have enough free space", StringComparison.Ordinal))
        {
            return new Suspicion(95, false, true, FailureKind.Install, $"The guest's disk is full: {Shown(message)}",
                "Give it a larger one, for example disk: 16GiB.");
        }

        return Package(message) ?? Trust(message) ?? Archive(message) ?? Setup(message);
    }

    private Suspicion? Package(string message)
    {
        if (NoPackage().Match(message) is { Success: true } missing)
        {
            string name = missing.Groups["name"].Value;
            string[] near = [.. nearPackages(name).Take(3)];
            return new Suspicion(70, false, false, FailureKind.Archive, $"The archive has no package {name}.",
                near.Length > 0 ? $"Did you mean {string.Join(" or ", near)}?" : "Check its name and the release it is in.");
        }

        if (Configure().Match(message) is { Success: true } failed)
        {
            return new Suspicion(75, false, false, FailureKind.Install,
                $"The package {failed.Groups["name"].Value} failed to {(failed.Groups["step"].Value == "configure" ? "configure" : "install")}.",
                "Its own messages are below; the whole log is in the report.");
        }

        if (Unmet().Match(message) is { Success: true } unmet)
        {
            return new Suspicion(60, false, false, FailureKind.Archive,
                $"The package {unmet.Groups["name"].Value} cannot be installed: {Shown(unmet.Groups["why"].Value)}.",
                "Leave out one of the packages that exclude each other, or take another release.");
        }

        return null;
    }

    private static Suspicion? Trust(string message) =>
        BadSignature().IsMatch(message)
            ? new Suspicion(85, false, false, FailureKind.Trust, $"A signature did not verify in the guest: {Shown(message)}",
                "Check the mirror and the host's clock; the guest's is the host's.")
            : BadHash().IsMatch(message)
                ? new Suspicion(72, false, false, FailureKind.Trust, $"A file is not what the archive's index says: {Shown(message)}",
                    "The mirror is being updated or is broken; try again, or another mirror.")
                : null;

    private static Suspicion? Archive(string message)
    {
        if (NotFetched().Match(message) is { Success: true } fetch)
        {
            return new Suspicion(65, false, false, FailureKind.Archive,
                $"The mirror did not give a file: {Shown(fetch.Groups["what"].Value)}.", AnotherMirror);
        }

        if (message.Contains("Temporary failure resolving", StringComparison.Ordinal)
            || message.Contains("Could not resolve", StringComparison.Ordinal) || message.Contains("bad address '", StringComparison.Ordinal))
        {
            return new Suspicion(55, false, false, FailureKind.Archive, $"The guest asked for a host that it may not reach: {Shown(message)}",
                "A guest reaches the plan's archives only; a package that downloads from elsewhere cannot be installed.");
        }

        return WgetFailed().Match(message) is { Success: true } wget
            ? new Suspicion(30, false, false, FailureKind.Archive, $"The mirror did not give a file: {Shown(wget.Groups["what"].Value)}.", AnotherMirror)
            : null;
    }

    private static Suspicion? Setup(string message)
    {
        if (message.Contains("Preseeded locale ignored", StringComparison.Ordinal))
        {
            return new Suspicion(99, true, true, FailureKind.Usage, "The installer does not know the locale and would take another one.",
                "Choose one of those that locale -a or /usr/share/i18n/SUPPORTED list, for example C.UTF-8 or de_DE.UTF-8.");
        }

        if (TimeZone().Match(message) is { Success: true } zone)
        {
            return new Suspicion(99, true, true, FailureKind.Usage, $"There is no time zone {zone.Groups[1].Value}.",
                "Write it as timedatectl list-timezones does: Europe/Berlin.");
        }

        if (NoLease().IsMatch(message))
        {
            return new Suspicion(40, false, false, FailureKind.Guest, "The guest got no address by DHCP.",
                "Virtigo's gateway serves it; see its log in the report.");
        }

        if (message.Contains("too small for expert recipe", StringComparison.Ordinal))
        {
            return new Suspicion(78, false, false, FailureKind.Usage, $"The disk is too small: {Shown(message)}.",
                "Give it a larger one, for example disk: 8GiB.");
        }

        if (GrubFailed().IsMatch(message))
        {
            return new Suspicion(50, false, false, FailureKind.Install, $"The boot loader could not be installed: {Shown(message)}",
                "See the log in the report.");
        }

        return message.StartsWith("Error parsing preconfiguration file", StringComparison.Ordinal)
            ? new Suspicion(50, false, false, FailureKind.Internal, "The installer could not read its answers.",
                "Run: virtigo lint-preseed FILE")
            : null;
    }

    private static string After(string message, string mark)
    {
        int at = message.IndexOf(mark, StringComparison.Ordinal);
        return at < 0 ? message : message[(at + mark.Length)..];
    }

    private static string Shown(string text) => text.Length > 300 ? text[..300] + "..." : text.TrimEnd('.');

    [GeneratedRegex(@"Out of memory: Killed process \d+ \((?<name>[^)]{1,64})\)|oom-kill:.{0,300}task=(?<name>[^,]{1,64})", RegexOptions.CultureInvariant)]
    private static partial Regex OutOfMemory();

    [GeneratedRegex(@"(I/O error, dev vd|Buffer I/O error on dev vd|EXT4-fs error \(device vd)", RegexOptions.CultureInvariant)]
    private static partial Regex DiskError();

    [GeneratedRegex(@"E: (Unable to locate package (?<name>[^\s']{1,100})|Package '(?<name>[^\s']{1,100})' has no installation candidate"
        + @"|Couldn't find any package by (glob|regex) '(?<name>[^\s']{1,100})')", RegexOptions.CultureInvariant)]
    private static partial Regex NoPackage();

    [GeneratedRegex(@"dpkg: error processing (package (?<name>[^\s]{1,100})|archive [^\s]{0,200}/(?<name>[^\s_/]{1,100})_[^\s]{0,200})"
        + @" \(--(?<step>configure|unpack|install)\)", RegexOptions.CultureInvariant)]
    private static partial Regex Configure();

    [GeneratedRegex(@"^(?<name>[a-z0-9][a-z0-9+.\-]{1,100})(:[a-z0-9]+)? : (?<why>(Depends|PreDepends|Conflicts|Breaks): .{1,300})", RegexOptions.CultureInvariant)]
    private static partial Regex Unmet();

    [GeneratedRegex(@"BADSIG|NO_PUBKEY|EXPKEYSIG|REVKEYSIG|The repository '.{1,300}' is not signed|InRelease' is not signed|BAD signature from"
        + @"|signed by unknown key|Release file .{1,300} is (expired|not valid yet)", RegexOptions.CultureInvariant)]
    private static partial Regex BadSignature();

    [GeneratedRegex(@"Hash Sum mismatch|was corrupt|Corrupted file|checksum mismatch", RegexOptions.CultureInvariant)]
    private static partial Regex BadHash();

    [GeneratedRegex(@"^(E: Failed to fetch (?<what>.{1,300})|Err:\d+ (?<what>.{1,300})"
        + @"|E: Couldn't download (?<what>.{1,200})|W: Failure (trying to run|while)(?<what>.{1,200}))", RegexOptions.CultureInvariant)]
    private static partial Regex NotFetched();

    /// <summary>choose-mirror asks for suites that a mirror need not have: weak on its own.</summary>
    [GeneratedRegex(@"ERROR (?<what>[45]\d\d: .{1,100})|wget: (?<what>(server returned error|can't connect|bad address).{0,200})", RegexOptions.CultureInvariant)]
    private static partial Regex WgetFailed();

    [GeneratedRegex(@"ignoring invalid time zone '([^']{1,100})'", RegexOptions.CultureInvariant)]
    private static partial Regex TimeZone();

    [GeneratedRegex(@"(No lease, failing|no lease, (failing|forking)|Network autoconfiguration failed|dhcp.{0,40}(timed out|failed))",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex NoLease();

    [GeneratedRegex(@"(grub-install: error: |Running 'grub-install .{0,200}failed|grub-probe: error: )", RegexOptions.CultureInvariant)]
    private static partial Regex GrubFailed();
}
