using System.Formats.Tar;
using Virtigo.Host;

namespace Virtigo.Archives;

/// <summary>A .deb or .udeb on disk. Whoever opens one verified its hash before; it is still read as hostile.</summary>
internal sealed class DebPackage : IDisposable
{
    private const long MaxControl = 64 << 20;
    private const long MaxData = 8L << 30;
    private const int MaxEntries = 1_000_000;
    private readonly FileStream _file;
    private readonly string _name;
    private readonly ArMember _control;
    private readonly ArMember _data;

    private DebPackage(FileStream file, string name)
    {
        (_file, _name) = (file, name);
        IReadOnlyList<ArMember> members = ArReader.ReadMembers(file, name);
        if (members.Count == 0 || members[0].Name != "debian-binary" || !ReadText(members[0]).StartsWith("2.", StringComparison.Ordinal))
        {
            throw Bad("does not start with \"debian-binary\" of format 2");
        }

        _control = Find(members, "control.tar");
        _data = Find(members, "data.tar");
        Control = ReadControl();
    }

    /// <summary>The package's own description of itself.</summary>
    public ControlParagraph Control { get; }

    /// <summary>Opens a package.</summary>
    /// <exception cref="VirtigoException">It is no intact package (<see cref="FailureKind.Archive"/>).</exception>
    public static DebPackage Open(string path)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        try
        {
            return new DebPackage(file, path);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose() => _file.Dispose();

    /// <summary>The files the package installs, in its order, read as they are asked for; one walk at a time.</summary>
    public IEnumerable<DebEntry> Files() => Entries(_data, MaxData);

    /// <summary>The control files: control, templates, postinst, md5sums and so on; one walk at a time.</summary>
    public IEnumerable<DebEntry> ControlFiles() => Entries(_control, MaxControl);

    /// <summary>The content of a file the package installs, or null when it installs none at this path.</summary>
    /// <param name="path">The path from the root, as <c>usr/bin/true</c>.</param>
    /// <param name="maxSize">The most bytes read; a larger file is an error.</param>
    public byte[]? ReadFile(string path, long maxSize) => Files()
        .Where(entry => entry.Type == DebEntryType.File && entry.Path == path)
        .Select(entry => Decompression.ReadAll(entry.Content!, maxSize, $"{path} of {_name}"))
        .FirstOrDefault();

    /// <summary>The content of a control file, or null when the package has none of this name.</summary>
    public byte[]? ReadControlFile(string name) => ControlFiles()
        .Where(entry => entry.Type == DebEntryType.File && entry.Path == name)
        .Select(entry => Decompression.ReadAll(entry.Content!, MaxControl, $"{name} of {_name}"))
        .FirstOrDefault();

    private ControlParagraph ReadControl()
    {
        byte[] text = ReadControlFile("control") ?? throw Bad("has no control file");
        using var stream = new MemoryStream(text, writable: false);
        return ControlFile.Parse(stream, $"control of {_name}").FirstOrDefault() ?? throw Bad("has an empty control file");
    }

    private string ReadText(ArMember member)
    {
        const int MaxFormat = 64;
        using Stream stream = ArReader.Open(_file, member);
        return System.Text.Encoding.Latin1.GetString(Decompression.ReadAll(stream, MaxFormat, _name));
    }

    private ArMember Find(IReadOnlyList<ArMember> members, string name) =>
        members.FirstOrDefault(member => member.Name == name || member.Name.StartsWith(name + ".", StringComparison.Ordinal))
        ?? throw Bad($"has no {name}");

    private IEnumerable<DebEntry> Entries(ArMember member, long limit)
    {
        string name = $"{member.Name} of {_name}";
        string suffix = member.Name[(member.Name.IndexOf(".tar", StringComparison.Ordinal) + 4)..];
        using var bounded = new BoundedStream(Guarded(name, () => Decompression.Open(ArReader.Open(_file, member), suffix, name)), limit, name);
        using var tar = new TarReader(bounded, leaveOpen: true);
        int count = 0;
        while (Guarded(name, () => tar.GetNextEntry()) is { } entry)
        {
            if (++count > MaxEntries)
            {
                throw Bad($"has more than {MaxEntries} entries in {member.Name}");
            }

            if (Convert(entry, name) is { } converted)
            {
                yield return converted;
            }
        }
    }

    private DebEntry? Convert(TarEntry entry, string name)
    {
        string path = Normalise(entry.Name);
        if (path.Length == 0)
        {
            return null;
        }

        DebEntryType type = entry.EntryType switch
        {
            TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile => DebEntryType.File,
            TarEntryType.Directory => DebEntryType.Directory,
            TarEntryType.SymbolicLink => DebEntryType.SymbolicLink,
            TarEntryType.HardLink => DebEntryType.HardLink,
            TarEntryType.CharacterDevice => DebEntryType.CharacterDevice,
            TarEntryType.BlockDevice => DebEntryType.BlockDevice,
            TarEntryType.Fifo => DebEntryType.Fifo,
            _ => throw Bad($"has an entry \"{Text.Shorten(path)}\" of the unknown type {entry.EntryType}"),
        };
        var device = entry as PosixTarEntry;
        bool isDevice = type is DebEntryType.CharacterDevice or DebEntryType.BlockDevice;
        return new DebEntry(path, type, entry.Mode)
        {
            LinkTarget = type switch
            {
                DebEntryType.SymbolicLink => entry.LinkName,
                DebEntryType.HardLink => Normalise(entry.LinkName),
                _ => null,
            },
            Size = type == DebEntryType.File ? entry.Length : 0,
            Content = type == DebEntryType.File ? new DamageReportingStream(entry.DataStream ?? Stream.Null, name) : null,
            Modified = entry.ModificationTime,
            UserId = entry.Uid,
            GroupId = entry.Gid,
            DeviceMajor = isDevice && device is not null ? device.DeviceMajor : 0,
            DeviceMinor = isDevice && device is not null ? device.DeviceMinor : 0,
        };
    }

    private string Normalise(string path)
    {
        string[] parts = [.. path.Split('/').Where(part => part is not ("" or "."))];
        return parts.Contains("..") || path.Contains('\0', StringComparison.Ordinal)
            ? throw Bad($"has an entry that leaves its root: \"{Text.Shorten(path)}\"")
            : string.Join('/', parts);
    }

    private VirtigoException Bad(string what) => new(FailureKind.Archive, $"{_name} {what}: it is no intact package.", "Fetch it again.");

    private static T Guarded<T>(string name, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (Decompression.IsDamage(e))
        {
            throw new VirtigoException(FailureKind.Archive, $"{name} is damaged: {e.Message}", "Fetch it again.", e);
        }
    }

    /// <summary>Content whose damage shows as <see cref="VirtigoException"/> to whoever reads it.</summary>
    private sealed class DamageReportingStream(Stream inner, string name) : ForwardStream
    {
        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Guarded(name, () => inner.Read(buffer, offset, count));
    }
}
