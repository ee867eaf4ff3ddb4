namespace Virtigo.Installers.Debian;

/// <summary>A value of the plan and where it came from, in words that fit between parentheses: <c>web.yml:3:7</c>.</summary>
/// <typeparam name="T">The value's type.</typeparam>
/// <param name="Value">The value.</param>
/// <param name="Origin">Where it came from.</param>
internal sealed record Sourced<T>(T Value, string Origin);

/// <summary>The first user of the installed system.</summary>
/// <param name="Name">The login name.</param>
/// <param name="FullName">The name in words; may be empty.</param>
/// <param name="PasswordHash">The password's crypt(3) hash; null locks the password.</param>
/// <param name="SshKeys">Public keys that may log in as this user.</param>
internal sealed record DebianUser(string Name, string FullName, string? PasswordHash, IReadOnlyList<string> SshKeys);

/// <summary>Everything of a plan that debian-installer has to be told.</summary>
internal sealed record DebianChoices
{
    /// <summary>The host name, without domain.</summary>
    public required Sourced<string> Hostname { get; init; }

    /// <summary>The domain; empty for none.</summary>
    public required Sourced<string> Domain { get; init; }

    /// <summary>The release's codename.</summary>
    public required Sourced<string> Release { get; init; }

    /// <summary>The archive that the installed system is to use.</summary>
    public required Sourced<Uri> Mirror { get; init; }

    /// <summary>The archive of security updates; its path must end in <c>/debian-security</c>.</summary>
    public required Sourced<Uri> SecurityMirror { get; init; }

    /// <summary>How the disk is laid out.</summary>
    public DebianDisk Disk { get; init; } = new();

    /// <summary>What the installer runs in.</summary>
    public InstallMachine Machine { get; init; } = InstallMachine.Virtio;

    /// <summary>The packages asked for.</summary>
    public required Sourced<IReadOnlyList<string>> Packages { get; init; }

    /// <summary>Packages that are to come with the base system; see <see cref="Debian.EarlyPackages"/>.</summary>
    public IReadOnlyList<string> EarlyPackages { get; init; } = [];

    /// <summary>The locale, for example <c>C.UTF-8</c>.</summary>
    public required Sourced<string> Locale { get; init; }

    /// <summary>The time zone, for example <c>Etc/UTC</c>.</summary>
    public required Sourced<string> TimeZone { get; init; }

    /// <summary>The keyboard's X layout name, for example <c>us</c>.</summary>
    public required Sourced<string> Keyboard { get; init; }

    /// <summary>The first user, or none.</summary>
    public required Sourced<DebianUser?> User { get; init; }

    /// <summary>The crypt(3) hash of root's password; null locks it.</summary>
    public required Sourced<string?> RootPasswordHash { get; init; }

    /// <summary>Answers in the installer's own words.</summary>
    public IReadOnlyList<FragmentAnswer> Fragment { get; init; } = [];

    /// <summary>What is done in the target beside the installer's own steps.</summary>
    public TargetChoices Target { get; init; } = TargetChoices.None;
}
