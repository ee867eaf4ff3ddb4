using System.Globalization;
using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;

namespace Virtigo.Appliances;

/// <summary>An appliance with every value decided, each with its origin. Holds no plaintext password.</summary>
public sealed record AppliancePlan
{
    /// <summary>The name of the image in the store: a host name label as in RFC 1123.</summary>
    public required Setting<string> Name { get; init; }

    /// <summary>The distribution: <c>debian</c>.</summary>
    public required Setting<string> Distribution { get; init; }

    /// <summary>The release's codename.</summary>
    public required Setting<string> Release { get; init; }

    /// <summary>The architecture, as Debian names it.</summary>
    public required Setting<string> Architecture { get; init; }

    /// <summary>The archive the appliance is installed from and keeps using; ends in a slash.</summary>
    public required Setting<Uri> Mirror { get; init; }

    /// <summary>More places with the same archive, tried in order when <see cref="Mirror"/> fails. Only Virtigo itself uses them.</summary>
    public required Setting<IReadOnlyList<Uri>> OtherMirrors { get; init; }

    /// <summary>The archive of security updates; ends in a slash.</summary>
    public required Setting<Uri> SecurityMirror { get; init; }

    /// <summary>The host name: a label as in RFC 1123.</summary>
    public required Setting<string> Hostname { get; init; }

    /// <summary>The domain of the host name.</summary>
    public required Setting<string> Domain { get; init; }

    /// <summary>The packages installed on top of the standard system, sorted, each once.</summary>
    public required Setting<IReadOnlyList<string>> Packages { get; init; }

    /// <summary>The size of the disk in bytes; a multiple of 1 MiB.</summary>
    public required Setting<long> DiskBytes { get; init; }

    /// <summary>The sizes of all disks together, in bytes.</summary>
    internal long AllDiskBytes => DiskBytes.Value + Disk.Value.Further.Sum(disk => disk.MiB << 20);

    /// <summary>What starts the machine.</summary>
    public Setting<FirmwareKind> Firmware { get; init; } = new(FirmwareKind.Bios, new Origin(OriginKind.Default, "what every hypervisor has"));

    /// <summary>How the disk is laid out.</summary>
    internal Setting<DebianDisk> Disk { get; init; } = new(new DebianDisk(), new Origin(OriginKind.Default, "one ext4 file system on the whole disk"));

    /// <summary>What runs the installer: the name of a hypervisor, or <see cref="HypervisorChoice.Auto"/>.</summary>
    public Setting<string> Hypervisor { get; init; } = new(HypervisorChoice.Auto, new Origin(OriginKind.Default, "the fastest that can"));

    /// <summary>The memory of the machine in MiB.</summary>
    public required Setting<int> MemoryMiB { get; init; }

    /// <summary>The number of virtual CPUs.</summary>
    public required Setting<int> Cpus { get; init; }

    /// <summary>The locale, as in <c>LANG</c>.</summary>
    public required Setting<string> Locale { get; init; }

    /// <summary>The time zone, as the tz database names it.</summary>
    public required Setting<string> TimeZone { get; init; }

    /// <summary>The keyboard layout, as XKB names it.</summary>
    public required Setting<string> Keyboard { get; init; }

    /// <summary>The ordinary user, or null for none.</summary>
    public required Setting<ApplianceUser?> User { get; init; }

    /// <summary>The superuser's password as <c>crypt(3)</c> text, or null when the account is locked.</summary>
    public required Setting<string?> RootPasswordHash { get; init; }

    /// <summary>What the archives are pinned to; null for the archives as they are.</summary>
    public Setting<ApplianceLock>? Lock { get; init; }

    /// <summary>The medium that the installer is on: the path of its image, or its URL; null where it comes from the archive.</summary>
    public Setting<string>? Medium { get; init; }

    /// <summary>The keyring that vouches for the archive and the medium; null for the host's own.</summary>
    internal string? Keyring { get; init; }

    /// <summary>What the spec says to Ubuntu's installer itself; null when it says nothing.</summary>
    internal AutoinstallMap? Autoinstall { get; init; }

    /// <summary>
    /// The appliance that this one builds on; null for none. This one is what that one is, and then <see cref="Packages"/> and all that is done
    /// in the installed system here; every other value is that one's.
    /// </summary>
    public Setting<AppliancePlan>? From { get; init; }

    /// <summary>The appliances that this one builds on, the nearest first.</summary>
    internal IEnumerable<AppliancePlan> Below
    {
        get
        {
            for (AppliancePlan? below = From?.Value; below is not null; below = below.From?.Value)
            {
                yield return below;
            }
        }
    }

    /// <summary>The appliances that this one builds on, the undermost first, and this one: the order in which they are installed.</summary>
    internal IReadOnlyList<AppliancePlan> Parts => [.. Below.Reverse(), this];

    /// <summary>The files that the spec brings.</summary>
    internal IReadOnlyList<SpecFile> SpecFiles { get; init; } = [];

    /// <summary>What is done in the installed system beside the installer's own steps.</summary>
    internal TargetPlan Target { get; init; } = TargetPlan.None;

    /// <summary>The answers in the installer's own words.</summary>
    internal PreseedPlan Preseed { get; init; } = PreseedPlan.None;

    /// <summary>
    /// SHA-256, in lower-case hexadecimal, over every value that can show in the image; see <see cref="PlanEncoding"/>.
    /// Equal plans have equal fingerprints whatever their origins, locked or not.
    /// </summary>
    public string Fingerprint => PlanEncoding.Fingerprint(this);

    /// <summary>Refuses a plan that cannot be locked.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: its installer comes from a medium and not from an archive.</exception>
    public void CheckLockable()
    {
        if (this.IsUbuntu())
        {
            throw new VirtigoException(FailureKind.Usage, $"{Distribution.Origin}: appliances of Ubuntu cannot be locked yet.", "Keep the medium: it holds the base system.");
        }
    }

    /// <summary>Every value with where it came from, in the order of the reference; no secret is shown.</summary>
    public IReadOnlyList<ExplainedSetting> Explain()
    {
        var lines = new List<ExplainedSetting>
        {
            new("name", Name.Value, Name.Origin),
            new("distro", Distribution.Value, Distribution.Origin),
            new("release", Release.Value, Release.Origin),
            new("arch", Architecture.Value, Architecture.Origin),
            new("mirror", Mirror.Value.AbsoluteUri, Mirror.Origin),
        };
        lines.AddRange(OtherMirrors.Value.Select(other => new ExplainedSetting("mirror (also)", other.AbsoluteUri, OtherMirrors.Origin)));
        if (Lock is { } locked)
        {
            lines.Add(new("locked", string.Create(CultureInfo.InvariantCulture, $"archives as of {locked.Value.Created.UtcDateTime:yyyy-MM-dd HH:mm} UTC"), locked.Origin));
        }

        lines.AddRange(
        [
            new("security-mirror", SecurityMirror.Value.AbsoluteUri, SecurityMirror.Origin),
            new("hostname", Hostname.Value, Hostname.Origin),
            new("domain", Domain.Value, Domain.Origin),
            new("packages", Packages.Value.Count == 0 ? From is null ? "(standard system only)" : "(none more)" : string.Join(", ", Packages.Value), Packages.Origin),
            new("disk", ByteSize.Format(DiskBytes.Value), DiskBytes.Origin),
            new("disk layout", DiskPlanner.Describe(Disk.Value), Disk.Origin),
            new("firmware", Firmwares.NameOf(Firmware.Value), Firmware.Origin),
            new("hypervisor", Hypervisor.Value, Hypervisor.Origin),
            new("memory", ByteSize.Format((long)MemoryMiB.Value << 20), MemoryMiB.Origin),
            new("cpus", Cpus.Value.ToString(CultureInfo.InvariantCulture), Cpus.Origin),
            new("locale", Locale.Value, Locale.Origin),
            new("timezone", TimeZone.Value, TimeZone.Origin),
            new("keyboard", Keyboard.Value, Keyboard.Origin),
            new("user", User.Value?.ToString() ?? "(none)", User.Origin),
            new("root", RootPasswordHash.Value is null ? "locked" : ApplianceUser.PasswordSet, RootPasswordHash.Origin),
        ]);
        if (Medium is { } medium)
        {
            lines.Insert(4, new("medium", medium.Value, medium.Origin));
        }

        lines.AddRange(Target.Explained);
        lines.AddRange(Preseed.Explained);
        if (From is { } from)
        {
            lines.Add(new("from", $"{from.Value.Name.Value} ({from.Value.Fingerprint[..12]}), which adds before:", from.Origin));
            foreach (AppliancePlan below in Below)
            {
                string prefix = below.Name.Value + ": ";
                lines.Add(new(prefix + "packages", below.Packages.Value.Count == 0 ? "(none)" : string.Join(", ", below.Packages.Value), below.Packages.Origin));
                lines.AddRange(below.Target.Explained.Select(line => line with { Key = prefix + line.Key }));
            }
        }

        return lines;
    }

    /// <summary>The name and the fingerprint; never a secret.</summary>
    public override string ToString() => $"{Name.Value} {Fingerprint}";
}
