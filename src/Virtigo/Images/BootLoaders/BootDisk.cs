namespace Virtigo.Images;

/// <summary>A file system on a disk, as a boot loader names it.</summary>
/// <param name="Device">GRUB's name for it, without brackets.</param>
/// <param name="Partition">The partition it is on.</param>
/// <param name="System">What is on it; null when that is not known.</param>
/// <param name="Range">Its bytes.</param>
/// <param name="Files">Its files; null when they cannot be read here.</param>
internal sealed record BootVolume(string Device, Partition Partition, FileSystemProbe? System, DiskRange Range, IVolumeFiles? Files)
{
    /// <summary>For a person: the device, what is on it.</summary>
    public string Shown => $"({Device}{(System is null ? "" : ", " + System.Kind)})";
}

/// <summary>A disk with all that a boot loader would find on it, read from the file.</summary>
internal sealed class BootDisk : IDisposable
{
    /// <summary>The type of a GPT's partition for GRUB's core.</summary>
    public const string BiosBootType = "21686148-6449-6e6f-744e-656564454649";

    private const string EfiType = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
    private const string OldEfiType = "ef";

    private BootDisk(string path, DiskContent content, int? sector)
    {
        (Path, Content) = (path, content);
        Whole = new DiskRange(content, 0, content.Length);
        Layout = PartitionTable.Layout(Whole, sector);
        Volumes = [.. Layout.Partitions.SelectMany(VolumesOf)];
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>What a guest sees on it.</summary>
    public DiskContent Content { get; }

    /// <summary>All of it.</summary>
    public DiskRange Whole { get; }

    /// <summary>How it is divided.</summary>
    public DiskLayout Layout { get; }

    /// <summary>Its file systems, partition by partition; logical volumes after the partition that they are on.</summary>
    public IReadOnlyList<BootVolume> Volumes { get; }

    /// <summary>The format, as <c>qemu-img</c> calls it.</summary>
    public string Format => Content is Qcow2Disk ? "qcow2" : "raw";

    /// <summary>The BIOS boot partition of a GPT.</summary>
    public Partition? BiosBoot => Layout.Partitions.FirstOrDefault(one => one.Type == BiosBootType);

    /// <summary>The volume that a UEFI starts from.</summary>
    public BootVolume? Esp => Volumes.FirstOrDefault(one => one.Partition.Type is EfiType or OldEfiType);

    /// <summary>Opens a disk.</summary>
    /// <param name="path">The file: raw or qcow2.</param>
    /// <param name="sector">The size of its sectors, if that is said.</param>
    /// <exception cref="VirtigoException">It is not there or of another format (<see cref="FailureKind.Usage"/>), or damaged (<see cref="FailureKind.Host"/>).</exception>
    public static BootDisk Open(string path, int? sector)
    {
        DiskContent content = DiskContent.Open(path);
        BootDisk? disk = null;
        try
        {
            return disk = Guarded(path, () => new BootDisk(path, content, sector));
        }
        finally
        {
            if (disk is null)
            {
                content.Dispose();
            }
        }
    }

    /// <summary>Reads, and says in a sentence when what a guest wrote is damaged.</summary>
    public static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception error) when (error is DamagedDiskException or OverflowException)
        {
            throw new VirtigoException(FailureKind.Host, $"A file system on {path} is damaged: {error.Message}.", "Check it in a running copy: virtigo run", error);
        }
        catch (IOException error)
        {
            throw new VirtigoException(FailureKind.Host, $"The disk {path} cannot be read: {error.Message}", null, error);
        }
    }

    /// <summary>The volume with a UUID.</summary>
    public BootVolume? WithUuid(string uuid) =>
        Volumes.FirstOrDefault(one => string.Equals(one.System?.Uuid, uuid, StringComparison.OrdinalIgnoreCase));

    /// <summary>The volume that a name of GRUB's means; the number of the disk is the firmware's to give, and not compared.</summary>
    public BootVolume? WithDevice(string device) => Volumes.FirstOrDefault(one => Local(one.Device) == Local(device));

    /// <summary>Closes the disk.</summary>
    public void Dispose() => Content.Dispose();

    private static string Local(string device) => device.StartsWith("lvm", StringComparison.Ordinal) ? device : device[(device.IndexOf(',', StringComparison.Ordinal) + 1)..];

    private IEnumerable<BootVolume> VolumesOf(Partition partition)
    {
        string device = Layout.Scheme switch
        {
            PartitionScheme.Gpt when partition.Number > 0 => $"hd0,gpt{partition.Number}",
            PartitionScheme.Mbr when partition.Number > 0 => $"hd0,msdos{partition.Number}",
            _ => "hd0",
        };
        var range = new DiskRange(Content, partition.Start, partition.Length);
        BootVolume here = Make(device, partition, range);
        yield return here;
        foreach (LogicalVolume volume in here.System?.Kind == "LVM2_member" ? LvmVolumes.Read(range) : [])
        {
            yield return volume.Content is { } content
                ? Make(volume.Name, partition, new DiskRange(content, 0, content.Length))
                : new BootVolume(volume.Name, partition, null, range, null);
        }
    }

    private static BootVolume Make(string device, Partition partition, DiskRange range)
    {
        FileSystemProbe? system = FileSystemProbe.Look(range);
        IVolumeFiles? files = system?.GrubModule switch
        {
            "fat" => FatVolume.TryOpen(range),
            not null when FileVolume.TryOpen(range) is { } volume => new VolumeFiles(volume),
            _ => null,
        };
        return new BootVolume(device, partition, system, range, files);
    }
}
