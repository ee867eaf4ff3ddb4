namespace Virtigo.Images;

/// <summary>Everything known about an image: what was asked, what went in, how it was made and proven. Holds no secret.</summary>
public sealed record ImageManifest
{
    /// <summary>The layout version that this build of Virtigo writes and reads.</summary>
    public const int CurrentSchema = 1;

    /// <summary>What the first disk is called where a disk has to be named.</summary>
    public const string FirstDiskName = "system";

    /// <summary>The layout version of this manifest.</summary>
    public int Schema { get; init; } = CurrentSchema;

    /// <summary>The appliance's name.</summary>
    public required string Name { get; init; }

    /// <summary>The image's address in the store: 64 lower-case hexadecimal digits over the plan and its inputs.</summary>
    public required string Key { get; init; }

    /// <summary>When the image was sealed.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>The version of Virtigo that made it.</summary>
    public required string ToolVersion { get; init; }

    /// <summary>The description as the user wrote it, with secrets redacted; empty when there was no file.</summary>
    public required string Spec { get; init; }

    /// <summary>Every value of the plan with its origin, secrets redacted.</summary>
    public required IReadOnlyList<ImagePlanValue> Plan { get; init; }

    /// <summary>The installer that made it.</summary>
    public required ImageInstaller Installer { get; init; }

    /// <summary>The archives that it was installed from.</summary>
    public required IReadOnlyList<ImageArchive> Archives { get; init; }

    /// <summary>Every package installed.</summary>
    public required IReadOnlyList<ImagePackage> Packages { get; init; }

    /// <summary>Every file that was fetched for it: the bill of materials.</summary>
    public required IReadOnlyList<ImageMaterial> Materials { get; init; }

    /// <summary>The disk.</summary>
    public required ImageDisk Disk { get; init; }

    /// <summary>The disks beside that one, in the order in which a machine has them.</summary>
    public IReadOnlyList<ImageFurtherDisk> FurtherDisks { get => field ?? []; init; }

    /// <summary>What the disk boots from: <c>bios</c> or <c>uefi</c>.</summary>
    public string Firmware { get => field ?? "bios"; init; }

    /// <summary>The network cards that the installed system sets up: one, unless the description says more.</summary>
    public IReadOnlyList<ImageNetworkCard> NetworkCards { get => field ?? [new(null)]; init; }

    /// <summary>How long each stage of the build took, in order.</summary>
    public required IReadOnlyList<ImageTiming> Timings { get; init; }

    /// <summary>The result of the boot test that the image passed before it was sealed.</summary>
    public required ImageBootTest BootTest { get; init; }

    /// <summary>What ran the installer.</summary>
    public required ImageHypervisor Hypervisor { get; init; }

    /// <summary>On which hypervisors the image was proven to boot, each with its newest proof.</summary>
    public IReadOnlyList<ImageProof> Proofs { get => field ?? [new(Hypervisor, BootTest.SecondsToMultiUser, Created)]; init; }

    /// <summary>What was done in it for the hypervisors that its machines run on; for no guests when it was built without a profile.</summary>
    public ImageProfile Profile { get => field ?? ImageProfile.None; init; }
}

/// <summary>What was done in an image for the hypervisors that its machines run on, as a machine of it showed in its boot test.</summary>
/// <param name="Guests">The guests that it is for: <c>kvm</c>, <c>tcg</c>, <c>uml</c>, <c>xen-pv</c>, <c>xen-pvh</c>, <c>xen-hvm</c>.</param>
/// <param name="Settings">What became of each setting.</param>
public sealed record ImageProfile(IReadOnlyList<string> Guests, IReadOnlyList<ImageProfileSetting> Settings)
{
    /// <summary>Nothing, for nobody.</summary>
    public static ImageProfile None { get; } = new([], []);
}

/// <summary>What became of a setting of a profile in an image.</summary>
/// <param name="Name">The setting.</param>
/// <param name="Outcome">
/// <c>applied</c>, <c>there</c> without the profile, <c>otherwise</c> by something later in the install, <c>missing</c> in the system, <c>not at build</c>,
/// <c>not applicable</c>.
/// </param>
/// <param name="Text">What was changed, or why nothing was.</param>
public sealed record ImageProfileSetting(string Name, string Outcome, string Text);

/// <summary>A boot test that an image passed: multi-user reached and no unit failed, as its own agent said.</summary>
/// <param name="Hypervisor">What ran it.</param>
/// <param name="SecondsToMultiUser">Seconds from power-on until the system was up.</param>
/// <param name="Time">When.</param>
public sealed record ImageProof(ImageHypervisor Hypervisor, double SecondsToMultiUser, DateTimeOffset Time);

/// <summary>A network card that an image expects.</summary>
/// <param name="Mac">The Ethernet address that it must have, as six pairs of lower-case hexadecimal digits; null for any.</param>
public sealed record ImageNetworkCard(string? Mac);

/// <summary>One value of the plan.</summary>
/// <param name="Key">The key as it is written in a description.</param>
/// <param name="Value">The value as shown to people.</param>
/// <param name="Origin">Where it came from: a file and line, a default, the host, the archive.</param>
public sealed record ImagePlanValue(string Key, string Value, string Origin);

/// <summary>The installer that made an image.</summary>
/// <param name="Version">The installer's version.</param>
/// <param name="Source">Where kernel and initrd came from.</param>
/// <param name="KernelVersion">The version of the installer's kernel.</param>
/// <param name="Components">The installer components it was given.</param>
public sealed record ImageInstaller(string Version, string Source, string KernelVersion, IReadOnlyList<ImageComponent> Components)
{
    /// <summary>The suite that the components are of; empty in manifests that do not say it.</summary>
    public string Suite { get => field ?? ""; init; }

    /// <summary>The SHA-256 of that suite's signed Release file; empty in manifests that do not say it.</summary>
    public string SuiteRelease { get => field ?? ""; init; }
}

/// <summary>One installer component.</summary>
/// <param name="Name">The component's package name.</param>
/// <param name="Version">Its version.</param>
/// <param name="Sha256">The SHA-256 of the file handed to the installer.</param>
/// <param name="Provenance">The archive, or what it was rebuilt from.</param>
public sealed record ImageComponent(string Name, string Version, string Sha256, string Provenance);

/// <summary>An archive that an image was installed from.</summary>
/// <param name="Uri">The base address that was used.</param>
/// <param name="Suite">The suite as asked for.</param>
/// <param name="Codename">The codename that the Release file gives.</param>
/// <param name="ReleaseSha256">The SHA-256 of the signed Release file.</param>
/// <param name="ReleaseDate">The date that the Release file gives.</param>
public sealed record ImageArchive(string Uri, string Suite, string Codename, string ReleaseSha256, DateTimeOffset ReleaseDate);

/// <summary>A package installed in an image.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its version.</param>
/// <param name="Architecture">Its architecture.</param>
public sealed record ImagePackage(string Name, string Version, string Architecture);

/// <summary>A file that was fetched for an image.</summary>
/// <param name="Url">Its address as it was asked for.</param>
/// <param name="Sha256">Its SHA-256.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="Verified">What it was verified against: a Release file, a package index, or nothing.</param>
public sealed record ImageMaterial(string Url, string Sha256, long Size, string Verified);

/// <summary>The disk of an image as it was sealed.</summary>
/// <param name="Format">The format: <c>qcow2</c>.</param>
/// <param name="VirtualBytes">The size that a guest sees, in bytes.</param>
/// <param name="FileBytes">The length of the file, in bytes.</param>
/// <param name="AllocatedBytes">The space it took on the host, in bytes.</param>
/// <param name="Sha256">The SHA-256 of the file.</param>
public sealed record ImageDisk(string Format, long VirtualBytes, long FileBytes, long AllocatedBytes, string Sha256);

/// <summary>A disk of an image beside the one that it boots from.</summary>
/// <param name="Name">Its name, which is the serial number that a machine sees: at most 20 lower-case letters, digits and <c>-</c>.</param>
/// <param name="Disk">The disk as it was sealed.</param>
public sealed record ImageFurtherDisk(string Name, ImageDisk Disk);

/// <summary>How long a stage took.</summary>
/// <param name="Stage">The stage's name.</param>
/// <param name="Seconds">Its length in seconds.</param>
public sealed record ImageTiming(string Stage, double Seconds);

/// <summary>The boot test that an image passed.</summary>
/// <param name="SecondsToMultiUser">Seconds from power-on until the system was up.</param>
/// <param name="FailedUnits">Units that had failed by then; empty for an image that passed.</param>
/// <param name="LoginAnswered">Whether the login on the console or the guest agent answered.</param>
public sealed record ImageBootTest(double SecondsToMultiUser, IReadOnlyList<string> FailedUnits, bool LoginAnswered);

/// <summary>What ran an image's machine.</summary>
/// <param name="Name">The hypervisor.</param>
/// <param name="Version">Its version.</param>
/// <param name="Accelerator">How it ran the guest's instructions: <c>kvm</c>, <c>tcg</c> or <c>ptrace</c>.</param>
public sealed record ImageHypervisor(string Name, string Version, string Accelerator);
