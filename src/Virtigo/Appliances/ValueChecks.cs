using System.Buffers;
using System.Text;

namespace Virtigo.Appliances;

/// <summary>
/// Checks of single values. Each answers null for a good one, else what is wrong, as the rest of a sentence that starts with the value.
/// </summary>
internal static partial class ValueChecks
{
    private const string Lower = "abcdefghijklmnopqrstuvwxyz";
    private const string Digits = "0123456789";
    private static readonly SearchValues<char> s_label = SearchValues.Create(Lower + Digits + "-");
    private static readonly SearchValues<char> s_package = SearchValues.Create(Lower + Digits + "+-.");
    private static readonly SearchValues<char> s_login = SearchValues.Create(Lower + Digits + "_-");
    private static readonly SearchValues<char> s_zone = SearchValues.Create(Lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + Digits + "_+-/");
    private static readonly SearchValues<char> s_crypt = SearchValues.Create(Lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + Digits + "./$=,");
    private static readonly string[] s_hashes = ["$6$", "$y$", "$5$", "$2b$", "$7$", "$gy$"];

    private static readonly HashSet<string> s_systemAccounts =
    [
        "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup", "list",
        "irc", "gnats", "nobody", "_apt", "messagebus", "sshd", "adm", "tty", "disk", "kmem", "sudo", "shadow", "utmp", "staff", "users",
        "nogroup", "systemd-network", "systemd-resolve", "systemd-timesync", "systemd-journal",
    ];

    private static readonly string[] s_keyTypes =
    [
        "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
    ];

    public static string? HostLabel(string value) =>
        value.Length is >= 1 and <= 63 && !value.AsSpan().ContainsAnyExcept(s_label) && value[0] != '-' && value[^1] != '-'
            ? null
            : "is not a host name: expected 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end and no domain";

    public static string? Release(string value) =>
        value.Length is >= 2 and <= 32 && !value.AsSpan().ContainsAnyExceptInRange('a', 'z')
            ? null
            : "is not a release: expected a codename such as trixie, or stable (for a version number, use its codename)";

    public static string? Mirror(string value)
    {
        if (value.Length > 500 || !Uri.TryCreate(value, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https")
            || url.Host.Length == 0 || value.Any(character => character is <= ' ' or > '~'))
        {
            return "is not the URL of an archive: expected something like http://mirror.example/debian";
        }

        if (url.UserInfo.Length > 0)
        {
            return "has a user name or password in it, which would stand in every image; use a mirror that needs none";
        }

        return url.Query.Length > 0 || url.Fragment.Length > 0
            ? "is not the base of an archive: expected a URL without ? and #"
            : null;
    }

    public static string? Package(string value)
    {
        if (value.IndexOf(':') is > 0 and int colon)
        {
            return $"asks for an architecture; write {SpecProblems.Quote(value[..colon])}: packages are those of `arch`";
        }

        return value.Length is >= 2 and <= 128 && !value.AsSpan().ContainsAnyExcept(s_package) && char.IsAsciiLetterOrDigit(value[0])
            && value[^1] != '-'
            ? null
            : "is not a package name: expected at least two of a-z, 0-9, '+', '-' and '.', starting with a letter or digit";
    }

    public static string? Locale(string value)
    {
        const string Problem = "is not a UTF-8 locale: expected a name such as C.UTF-8 or de_DE.UTF-8";
        string[] parts = value.Split('@');
        if (parts.Length > 2 || (parts.Length == 2 && (parts[1].Length is 0 or > 16 || parts[1].AsSpan().ContainsAnyExceptInRange('a', 'z'))))
        {
            return Problem;
        }

        string[] name = parts[0].Split('.');
        if (name.Length != 2 || name[1] != "UTF-8")
        {
            return Problem;
        }

        if (name[0] == "C")
        {
            return parts.Length == 1 ? null : Problem;
        }

        string[] language = name[0].Split('_');
        return language.Length == 2 && language[0].Length is 2 or 3 && !language[0].AsSpan().ContainsAnyExceptInRange('a', 'z')
            && language[1].Length == 2 && !language[1].AsSpan().ContainsAnyExceptInRange('A', 'Z')
            ? null
            : Problem;
    }

    public static string? TimeZone(string value) =>
        value.Length is >= 1 and <= 64 && !value.AsSpan().ContainsAnyExcept(s_zone) && char.IsAsciiLetter(value[0])
        && !value.EndsWith('/') && !value.Contains("//")
            ? null
            : "is not a time zone: expected a name such as Etc/UTC or Europe/Berlin";

    public static string? Keyboard(string value) =>
        value.Length is >= 2 and <= 12 && !value.AsSpan().ContainsAnyExceptInRange('a', 'z')
            ? null
            : "is not a keyboard layout: expected a name such as us, gb or de";

    public static string? UserName(string value)
    {
        if (value.Length is 0 or > 32 || value.AsSpan().ContainsAnyExcept(s_login) || !(char.IsAsciiLetter(value[0]) || value[0] == '_'))
        {
            return "is not a login name: expected 1 to 32 lower-case letters, digits, '_' and '-', starting with a letter";
        }

        return s_systemAccounts.Contains(value) ? "is an account or group of the system itself; choose another name" : null;
    }

    public static string? Password(string value) =>
        value.Length > 0 && Encoding.UTF8.GetByteCount(value) <= 500 && !value.Any(char.IsControl)
            ? null
            : "is not usable as a password: expected 1 to 500 characters on one line";

    /// <summary>What the installer's answers can carry and every keyboard and serial line can type.</summary>
    public static string? Passphrase(string value) =>
        value.Length is >= 8 and <= 256 && value.All(character => character is >= ' ' and <= '~' and not '\\') && value == value.Trim(' ')
            ? null
            : "is not usable as a passphrase: expected 8 to 256 printable ASCII characters without \\, no blank first or last";

    public static string? PasswordHash(string value) =>
        value.Length is >= 20 and <= 384 && s_hashes.Any(prefix => value.StartsWith(prefix, StringComparison.Ordinal))
        && !value.AsSpan().ContainsAnyExcept(s_crypt) && value.LastIndexOf('$') is > 3 and int end && end < value.Length - 1
            ? null
            : "is not a password hash: expected what `mkpasswd -m sha512crypt` prints, such as $6$salt$… (quote it in YAML)";

    public static string? SshKey(string value)
    {
        const string Problem = "is not an ssh public key: expected one line such as the content of ~/.ssh/id_ed25519.pub";
        if (value.Length > 16 * 1024 || value.Any(char.IsControl))
        {
            return Problem;
        }

        if (value.Contains("PRIVATE KEY", StringComparison.Ordinal))
        {
            return "is a private key; give the public one, from the file that ends in .pub";
        }

        string[] parts = value.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length < 2 || !s_keyTypes.Contains(parts[0]))
        {
            return Problem;
        }

        // The key itself repeats its type, as a string with a 4-byte length before it.
        byte[] blob = new byte[parts[1].Length];
        return Convert.TryFromBase64String(parts[1], blob, out int length) && length > 4 + parts[0].Length
            && blob.AsSpan(0, 4).SequenceEqual(new byte[] { 0, 0, 0, (byte)parts[0].Length })
            && Encoding.ASCII.GetString(blob, 4, parts[0].Length) == parts[0]
            ? null
            : Problem;
    }
}
