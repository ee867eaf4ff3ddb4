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

    /// <summary>What runs the installer: the name of a hypervisor, or <c>auto</c>.</summary>
    public Setting<string>? Hypervisor { get; internal set; }

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

    /// <summary>The spec that this one builds on, with what is decided here; null for none.</summary>
    internal Setting<ApplianceSpec>? From { get; set; }

    /// <summary>The values of its variables.</summary>
    internal IReadOnlyDictionary<string, string> Variables { get; set; } = new Dictionary<string, string>();

    /// <summary>The files it was put together of, beside its own.</summary>
    internal IReadOnlyList<SpecFile> Parts { get; private set; } = [];

    /// <summary>Whether its file describes others too.</summary>
    internal bool InMatrix { get; private set; }

    /// <summary>The lock beside the file, or null when there is none.</summary>
    internal Setting<ApplianceLock>? Lock { get; private set; }

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
        From?.Value.Use(medium, keyring);
    }

    /// <summary>Takes the hypervisor from the caller instead of from the spec.</summary>
    /// <param name="hypervisor">Its name, or <c>auto</c>; null for what the spec says.</param>
    public void UseHypervisor(string? hypervisor)
    {
        if (hypervisor is not null)
        {
            Hypervisor = new(hypervisor, new Origin(OriginKind.Caller, "given as --hypervisor"));
        }
    }

    /// <summary>Reads the spec that a person means: a file of that name, else a distribution.</summary>
    /// <param name="fileOrDistribution">The path of a file, or <c>debian</c>.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">There is no such file or distribution, or something is wrong with the content.</exception>
    public static async Task<ApplianceSpec> OpenAsync(string fileOrDistribution, SpecOptions options, CancellationToken cancellationToken) =>
        Only(await OpenAllAsync(fileOrDistribution, options, cancellationToken), fileOrDistribution);

    /// <summary>Reads what a person means: a file of that name, with as many appliances as its matrix has, else a distribution.</summary>
    /// <inheritdoc cref="OpenAsync"/>
    public static async Task<IReadOnlyList<ApplianceSpec>> OpenAllAsync(string fileOrDistribution, SpecOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        return File.Exists(fileOrDistribution)
            ? await SpecReader.LoadAsync(fileOrDistribution, options, cancellationToken)
            : options.Set.Count == 0 ? [ForDistribution(fileOrDistribution, options.Name)]
            : throw new VirtigoException(FailureKind.Usage, $"--set gives a value to a file's variables, and there is no file {SpecProblems.Quote(fileOrDistribution)}.");
    }

    /// <summary>A spec that leaves everything but the distribution to the planner; its name is the distribution's.</summary>
    /// <param name="distribution">The distribution: <c>debian</c>.</param>
    /// <param name="name">The image's name; null for the distribution's.</param>
    /// <exception cref="VirtigoException">The distribution is unknown, or the name is no host name label.</exception>
    public static ApplianceSpec ForDistribution(string distribution, string? name = null) =>
        SpecReader.ForDistribution(distribution, name);

    /// <summary>Reads a spec from YAML.</summary>
    /// <param name="yaml">The text; may be empty.</param>
    /// <param name="file">The file's name: used in messages, for the name of the appliance, and for the folder that other files are read from.</param>
    /// <param name="options">How it is read; null for nothing special. A lock is not looked for.</param>
    /// <exception cref="VirtigoException">Everything that is wrong with the text, each with file, line and column.</exception>
    public static ApplianceSpec Parse(string yaml, string file, SpecOptions? options = null) =>
        Only(SpecReader.Parse(yaml, file, options ?? new SpecOptions()), file);

    /// <summary>Reads a spec from a YAML file of at most <see cref="MaxFileBytes"/>, and the lock beside it if there is one.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">The file cannot be read, or something is wrong with its content.</exception>
    public static async Task<ApplianceSpec> LoadAsync(string path, SpecOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Only(await SpecReader.LoadAsync(path, options, cancellationToken), path);
    }

    internal ApplianceSpec Reading(IReadOnlyList<SpecFile> parts, bool inMatrix)
    {
        (Parts, InMatrix) = (parts, inMatrix);
        return this;
    }

    /// <summary>Pins the archives, also for what it builds on.</summary>
    internal void UseLock(Setting<ApplianceLock> pinned)
    {
        Lock = pinned;
        From?.Value.UseLock(pinned);
    }

    private static ApplianceSpec Only(IReadOnlyList<ApplianceSpec> specs, string file) => specs is [var only] ? only
        : throw new VirtigoException(FailureKind.Usage,
            $"{file} describes {specs.Count} appliances: {string.Join(", ", specs.Take(10).Select(spec => spec.Name.Value))}{(specs.Count > 10 ? ", …" : "")}.",
            "Choose one by the values of its matrix, as in: --set release=trixie");
}

/// <summary>How a spec is read.</summary>
public sealed record SpecOptions
{
    /// <summary>The image's name; null for the file's without extension, or the distribution's.</summary>
    public string? Name { get; init; }

    /// <summary>Whether a lock beside the file counts. Default: yes.</summary>
    public bool Locked { get; init; } = true;

    /// <summary>Values for the file's variables, and for what its matrix varies, by name.</summary>
    public IReadOnlyDictionary<string, string> Set { get; init; } = new Dictionary<string, string>();
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
