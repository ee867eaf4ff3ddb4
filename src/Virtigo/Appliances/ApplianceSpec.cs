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

    internal Setting<UserWish>? User { get; init; }

    internal Setting<RootWish>? Root { get; init; }
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
