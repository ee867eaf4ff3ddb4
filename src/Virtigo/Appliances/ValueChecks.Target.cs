using System.Buffers;
using System.Globalization;
using System.Text.RegularExpressions;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>Checks of what is done in the target: files, accounts, software.</summary>
internal static partial class ValueChecks
{
    private const int MaxCommandLength = 64 * 1024;
    private static readonly SearchValues<char> s_unit = SearchValues.Create(Lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + Digits + ":_.@-\\");
    private static readonly string[] s_kernelFolders = ["/proc", "/sys", "/dev", "/run"];

    /// <summary>A path below the spec's folder.</summary>
    public static string? InnerPath(string value)
    {
        const string Expected = "expected a path below the folder of the spec, such as files/motd";
        if (value.StartsWith('/') || value.StartsWith('~'))
        {
            return $"is not relative: {Expected}";
        }

        if (value.Split('/').Contains(".."))
        {
            return $"leads out of the folder of the spec: {Expected}";
        }

        return value.Length is 0 or > 1000 || value.Any(char.IsControl) || value.Split('/').Any(part => part is "" or ".")
            ? $"is not a path: {Expected}"
            : null;
    }

    /// <summary>A place for a file system: what partman's language and a volume's name can hold.</summary>
    public static string? MountPath(string value) =>
        !MountPattern().IsMatch(value) || value.Length > 64 ? "is no place for a file system: expected an absolute path of lower-case letters, digits, - and _, at most 64 characters"
        : s_systemPlaces.Contains(value.Split('/')[1]) ? "belongs to the running system"
        : null;

    /// <summary>The name of a further disk, which is its serial number too.</summary>
    public static string? DiskName(string value) =>
        value == Images.ImageManifest.FirstDiskName ? "is the name of the first disk: choose another"
        : !DiskNamePattern().IsMatch(value) ? "is no name of a disk: expected at most 20 lower-case letters, digits and -, a letter first"
        : null;

    /// <summary>The place of a file in the installed system.</summary>
    public static string? TargetPath(string value)
    {
        if (value == "/")
        {
            return null;
        }

        if (!value.StartsWith('/') || value.EndsWith('/') || value.Any(char.IsControl)
            || value[1..].Split('/').Any(part => part is "" or "." or ".."))
        {
            return "is not a place in the installed system: expected an absolute path without . and .. and without a slash at its end";
        }

        if (s_kernelFolders.Any(folder => value == folder || value.StartsWith(folder + "/", StringComparison.Ordinal)))
        {
            return "is made anew at every boot: choose another place";
        }

        return TargetArchive.Fits(value) ? null : "is too long: expected at most 255 bytes, with a name of at most 100";
    }

    public static string? Mode(string value) =>
        value.Length is 3 or 4 && !value.AsSpan().ContainsAnyExceptInRange('0', '7')
            ? null
            : "is not a mode: expected three or four octal digits, such as 0644";

    /// <summary>An account or group that exists in the installed system: its name or number.</summary>
    public static string? Owner(string value) =>
        AccountName(value) is null || (value.Length <= 9 && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            ? null
            : "is neither the name nor the number of an account or group";

    public static string? AccountName(string value) =>
        value.Length is >= 1 and <= 32 && !value.AsSpan().ContainsAnyExcept(s_login) && (char.IsAsciiLetter(value[0]) || value[0] == '_')
            ? null
            : "is not a name of an account or group: expected 1 to 32 lower-case letters, digits, '_' and '-', starting with a letter";

    public static string? Unit(string value) =>
        value.Length is >= 1 and <= 200 && !value.AsSpan().ContainsAnyExcept(s_unit) && value[0] is not ('-' or '.')
            ? null
            : "is not the name of a unit: expected something like nginx or backup.timer";

    public static string? Command(string value) =>
        value.Trim().Length > 0 && value.Length <= MaxCommandLength && !value.Any(character => char.IsControl(character) && character is not ('\n' or '\t'))
        && !HasLoneSurrogate(value)
            ? null
            : "is not a command: expected text for /bin/sh, at most 64 KiB, without control characters";

    public static string? Content(string value) => HasLoneSurrogate(value) ? "is not text: it has half a character in it" : null;

    public static string? Shell(string value) => ShellPattern().IsMatch(value) ? null : "is not a shell: expected an absolute path such as /bin/bash";

    public static string? FullName(string value) =>
        value.Length <= 100 && !value.Any(character => char.IsControl(character) || character is ':' or ',' or '=') && !HasLoneSurrogate(value)
            ? null
            : "does not fit into the account database: expected at most 100 characters without ':', ',' and '='";

    /// <summary>A password, or where one is: env:NAME, file:PATH, prompt:.</summary>
    public static string? PasswordOrReference(string value) => SecretOrReference(value, Password);

    /// <summary>A disk's passphrase, or where it is.</summary>
    public static string? PassphraseOrReference(string value) => SecretOrReference(value, Passphrase);

    private static string? SecretOrReference(string value, Func<string, string?> literal) =>
        value.StartsWith("env:", StringComparison.Ordinal) ? (EnvironmentPattern().IsMatch(value) ? null : "names no variable: expected something like env:WEB_PASSWORD")
        : value.StartsWith("file:", StringComparison.Ordinal) ? (InnerPath(value[5..]) is null ? null : "names no file: expected file: and a path below the folder of the spec")
        : value.StartsWith("prompt:", StringComparison.Ordinal) ? (value.Length <= 100 && !value.Any(char.IsControl) ? null : "is no prompt: expected prompt: and a few words")
        : literal(value);

    /// <summary>An ssh public key, or where some are: agent, file:PATH.</summary>
    public static string? SshKeyOrReference(string value) =>
        value == "agent" ? null
        : value.StartsWith("file:", StringComparison.Ordinal) ? InnerPath(value[5..])
        : SshKey(value) is { } problem ? problem + "; or file:PATH, or agent" : null;

    public static string? RepositoryUrl(string value) =>
        value.StartsWith("ppa:", StringComparison.Ordinal)
            ? "is a PPA: those hold packages built for Ubuntu's releases, whose dependencies a Debian system does not have; "
                + "give the url of a repository for Debian, or take the package from backports"
            : Mirror(value);

    public static string? Suite(string value) =>
        value.EndsWith('/')
            ? "is a flat repository, without signed indices of suites; expected a suite's name such as stable"
            : SuitePattern().IsMatch(value) && !value.Contains("..", StringComparison.Ordinal) ? null : "is not the name of a suite: expected something like stable";

    public static string? Component(string value) =>
        SuitePattern().IsMatch(value) && !value.Contains("..", StringComparison.Ordinal) ? null : "is not the name of a component: expected something like main";

    public static string? PackagePattern(string value) =>
        PackageGlob().IsMatch(value) ? null : "is not a package name, nor a pattern of such with * in it";

    public static string? PinText(string value) =>
        PinPattern().IsMatch(value) ? null : "is not something to pin to: expected letters, digits and .:+~*=,_- (see apt_preferences(5))";

    public static string? RepositoryName(string value) => HostLabel(value) is null ? null : "is not a name for a repository: expected lower-case letters, digits and hyphens";

    /// <summary>An armoured key, or the path of a file that holds one.</summary>
    public static string? KeyOrPath(string value)
    {
        if (value.Contains("PRIVATE KEY", StringComparison.Ordinal))
        {
            return "is a private key; give the public one";
        }

        return IsArmouredKey(value)
            ? value.Length <= MaxCommandLength && value.All(character => character is '\n' or '\t' or (>= ' ' and <= '~'))
                && value.TrimEnd().EndsWith("-----END PGP PUBLIC KEY BLOCK-----", StringComparison.Ordinal)
                ? null
                : "is not a whole armoured key"
            : InnerPath(value) is { } problem ? problem + ", or the armoured key itself" : null;
    }

    public static bool IsArmouredKey(string value) => value.TrimStart().StartsWith("-----BEGIN PGP PUBLIC KEY BLOCK-----", StringComparison.Ordinal);

    public static string? Question(string value) =>
        QuestionPattern().IsMatch(value) ? null : "is not the name of a question: expected something like postfix/mailname";

    private static bool HasLoneSurrogate(string value)
    {
        for (int at = 0; at < value.Length; at++)
        {
            if (char.IsSurrogate(value[at]) && !(char.IsSurrogatePair(value, at) && at++ >= 0))
            {
                return true;
            }
        }

        return false;
    }

    [GeneratedRegex(@"\A[a-z][a-z0-9-]{0,19}\z", RegexOptions.CultureInvariant)]
    private static partial Regex DiskNamePattern();

    [GeneratedRegex(@"\A/[A-Za-z0-9_./+-]{1,100}\z", RegexOptions.CultureInvariant)]
    private static partial Regex ShellPattern();

    [GeneratedRegex(@"\Aenv:[A-Za-z_][A-Za-z0-9_]{0,99}\z", RegexOptions.CultureInvariant)]
    private static partial Regex EnvironmentPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._/-]{0,99}\z", RegexOptions.CultureInvariant)]
    private static partial Regex SuitePattern();

    [GeneratedRegex(@"\A[a-z0-9*][a-z0-9+.*-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex PackageGlob();

    [GeneratedRegex(@"\A[A-Za-z0-9*][A-Za-z0-9.:+~*=,_ -]{0,199}\z", RegexOptions.CultureInvariant)]
    private static partial Regex PinPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9+._-]{0,127}(/[A-Za-z0-9+._-]{1,127}){1,5}\z", RegexOptions.CultureInvariant)]
    private static partial Regex QuestionPattern();

    private static readonly string[] s_systemPlaces = ["proc", "sys", "dev", "run", "etc", "bin", "sbin", "lib", "lib64"];

    [GeneratedRegex(@"\A(/[a-z][a-z0-9_\-]*)+\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex MountPattern();
}
