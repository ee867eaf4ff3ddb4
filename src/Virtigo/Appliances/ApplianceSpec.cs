namespace Virtigo.Appliances;

/// <summary>What a user wrote about an appliance: every value that is null is decided by the planner.</summary>
public sealed class ApplianceSpec
{
    /// <summary>The largest file that is read as a spec, in bytes.</summary>
    public const int MaxFileBytes = 1 << 20;

    internal ApplianceSpec(Setting<string> name) => Name = name;

    /// <summary>The name: that of the file, without extension, until it is overridden.</summary>
    public Setting<string> Name { get; }

    /// <summary>The distribution.</summary>
    public Setting<string>? Distribution { get; internal init; }

    /// <summary>The release's codename or a moving name such as <c>stable</c>.</summary>
    public Setting<string>? Release { get; internal init; }

    /// <summary>The architecture, as Debian names it.</summary>
    public Setting<string>? Architecture { get; internal init; }

    /// <summary>The archive, at one or more places.</summary>
    public Setting<IReadOnlyList<Uri>>? Mirrors { get; internal init; }

    /// <summary>The archive of security updates.</summary>
    public Setting<Uri>? SecurityMirror { get; internal init; }

    /// <summary>The host name.</summary>
    public Setting<string>? Hostname { get; internal init; }

    /// <summary>The packages wanted on top of the standard system.</summary>
    public Setting<IReadOnlyList<string>>? Packages { get; internal init; }

    /// <summary>The size of the disk in bytes.</summary>
    public Setting<long>? DiskBytes { get; internal init; }

    /// <summary>The memory in MiB.</summary>
    public Setting<int>? MemoryMiB { get; internal init; }

    /// <summary>The number of virtual CPUs.</summary>
    public Setting<int>? Cpus { get; internal init; }

    /// <summary>The locale.</summary>
    public Setting<string>? Locale { get; internal init; }

    /// <summary>The time zone.</summary>
    public Setting<string>? TimeZone { get; internal init; }

    /// <summary>The keyboard layout.</summary>
    public Setting<string>? Keyboard { get; internal init; }

    /// <summary>The medium that Ubuntu is installed from: a path, or a URL.</summary>
    public Setting<string>? Medium { get; internal set; }

    /// <summary>The keyring that vouches for the archive and the medium; null for the host's own.</summary>
    internal string? Keyring { get; private set; }

    /// <summary>What is said to Ubuntu's installer itself.</summary>
    internal Setting<AutoinstallWish>? Autoinstall { get; init; }

    /// <summary>The lock beside the file, or null when there is none.</summary>
    internal Setting<ApplianceLock>? Lock { get; set; }

    internal Setting<UserWish>? User { get; init; }

    internal Setting<RootWish>? Root { get; init; }

    /// <summary>Everything that was written; null when there was no file.</summary>
    internal SettingValues? Values { get; init; }

    /// <summary>Passwords that were asked for, by the place that asks.</summary>
    internal IDictionary<string, string> Answered { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>
    /// The text it was read from with <c>"***"</c> in place of every password and password hash; empty when there was no file.
    /// </summary>
    public string RedactedText { get; internal init; } = "";

    /// <summary>Takes a medium, and a keyring, from the caller instead of from the spec.</summary>
    /// <param name="medium">The path of the medium's image, or its URL; null for what the spec says.</param>
    /// <param name="keyring">The path of the keyring that vouches for the archive and the medium; null for the host's own.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: it is neither a path nor a URL.</exception>
    public void Use(string? medium, string? keyring)
    {
        if (medium is not null)
        {
            Medium = ValueChecks.Medium(medium) is { } problem
                ? throw new VirtigoException(FailureKind.Usage, $"{SpecProblems.Quote(medium)} {problem}.", "As in: --medium ubuntu-24.04.3-live-server-amd64.iso")
                : new(medium, new Origin(OriginKind.Caller, "given as --medium"));
        }

        Keyring = keyring is null ? Keyring : Path.GetFullPath(keyring);
    }

    /// <summary>Reads the spec that a person means: a file of that name, else a distribution.</summary>
    /// <param name="fileOrDistribution">The path of a file, or <c>debian</c>.</param>
    /// <param name="name">The image's name; null for the file's without extension, or the distribution's.</param>
    /// <param name="locked">Whether a lock beside the file counts.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">There is no such file or distribution, or something is wrong with the content.</exception>
    public static async Task<ApplianceSpec> OpenAsync(string fileOrDistribution, string? name, bool locked, CancellationToken cancellationToken) =>
        File.Exists(fileOrDistribution)
            ? await LoadAsync(fileOrDistribution, name, locked, cancellationToken)
            : ForDistribution(fileOrDistribution, name);

    /// <summary>A spec that leaves everything but the distribution to the planner; its name is the distribution's.</summary>
    /// <param name="distribution">The distribution: <c>debian</c>.</param>
    /// <param name="name">The image's name; null for the distribution's.</param>
    /// <exception cref="VirtigoException">The distribution is unknown, or the name is no host name label.</exception>
    public static ApplianceSpec ForDistribution(string distribution, string? name = null) =>
        SpecReader.ForDistribution(distribution, name);

    /// <summary>Reads a spec from YAML.</summary>
    /// <param name="yaml">The text; may be empty.</param>
    /// <param name="file">The file's name: used in messages, and for the name of the appliance.</param>
    /// <param name="name">The image's name; null for the file's without extension.</param>
    /// <exception cref="VirtigoException">Everything that is wrong with the text, each with file, line and column.</exception>
    public static ApplianceSpec Parse(string yaml, string file, string? name = null) => SpecReader.Parse(yaml, file, name);

    /// <summary>Reads a spec from a YAML file of at most <see cref="MaxFileBytes"/>, and the lock beside it if there is one.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">The image's name; null for the file's without extension.</param>
    /// <param name="locked">Whether a lock beside the file counts.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">The file cannot be read, or something is wrong with its content.</exception>
    public static Task<ApplianceSpec> LoadAsync(string path, string? name, bool locked, CancellationToken cancellationToken) =>
        SpecReader.LoadAsync(path, name, locked, cancellationToken);
}

/// <summary>Text that must not be shown: it reads as <c>***</c> wherever it is printed.</summary>
internal sealed class SecretText(string text)
{
    public string Reveal() => text;

    public override string ToString() => "***";
}

/// <summary>The user a spec asks for.</summary>
internal sealed record UserWish(string Name, SecretText? Password, SecretText? PasswordHash, IReadOnlyList<string>? SshKeys);

/// <summary>The superuser's account as a spec asks for it; locked when neither password is given.</summary>
internal sealed record RootWish(SecretText? Password, SecretText? PasswordHash);
