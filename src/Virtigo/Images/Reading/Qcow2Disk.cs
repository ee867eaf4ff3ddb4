using System.Buffers.Binary;
using System.IO.Compression;
using Microsoft.Win32.SafeHandles;

namespace Virtigo.Images;

/// <summary>
/// Reads what a guest sees on a self-contained qcow2 disk, straight from the file: nothing is copied first and no program is started.
/// Offsets and lengths in the file are checked, whoever wrote them. Not safe for concurrent use.
/// </summary>
internal sealed class Qcow2Disk : DiskContent
{
    private const int HeaderLength = 112;
    private const ulong OffsetMask = 0x00FF_FFFF_FFFF_FE00;
    private const ulong CompressedFlag = 1UL << 62;
    private const ulong ZeroFlag = 1;
    private const int SectorBytes = 512;
    private const int MostTables = 64;

    // A clean or a dirty file, and another way of compression; all else changes how the file is read.
    private const ulong KnownFeatures = (1UL << 0) | (1UL << 3);
    private readonly SafeFileHandle _file;
    private readonly long _fileBytes;
    private readonly string _path;
    private readonly int _clusterBits;
    private readonly bool _zstd;
    private readonly ulong[] _roots;
    private readonly Dictionary<ulong, ulong[]> _tables = [];
    private readonly byte[] _compressed;
    private readonly byte[] _plain;
    private ulong _plainOf;

    private Qcow2Disk(SafeFileHandle file, string path)
    {
        (_file, _path, _fileBytes) = (file, path, RandomAccess.GetLength(file));
        byte[] header = new byte[HeaderLength];
        int count = RandomAccess.Read(file, header, 0);
        Qcow2Header read = Qcow2Header.Parse(header.AsSpan(0, count)) ?? throw Bad("it is not a qcow2 disk");
        Length = read.VirtualBytes;
        uint version = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
        ulong features = version == 3 ? BinaryPrimitives.ReadUInt64BigEndian(header.AsSpan(72)) : 0;
        _clusterBits = (int)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(20));
        if (!read.IsSelfContained || (features & ~KnownFeatures) != 0 || BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(32)) != 0
            || _clusterBits is < 9 or > 21)
        {
            throw Bad("it needs another file, is encrypted, or uses a feature that is not known here");
        }

        _zstd = (features & (1UL << 3)) != 0 && header[104] == 1;
        _roots = ReadRoots(
            BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(36)), BinaryPrimitives.ReadUInt64BigEndian(header.AsSpan(40)));
        _plain = new byte[ClusterBytes];
        _compressed = new byte[(2 * ClusterBytes) + SectorBytes];
    }

    /// <summary>The size that the guest sees, in bytes.</summary>
    public override long Length { get; }

    private int ClusterBytes => 1 << _clusterBits;

    private int EntriesPerTable => ClusterBytes / sizeof(ulong);

    /// <summary>Opens a disk for reading.</summary>
    /// <exception cref="VirtigoException">The file cannot be read, is damaged, or needs another file (<see cref="FailureKind.Host"/>).</exception>
    public static new Qcow2Disk Open(string path)
    {
        SafeFileHandle? file = null;
        try
        {
            file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var disk = new Qcow2Disk(file, path);
            file = null;
            return disk;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Host, $"The disk {path} cannot be read: {error.Message}", null, error);
        }
        finally
        {
            file?.Dispose();
        }
    }

    /// <summary>Reads a part of the disk; it must lie within <see cref="Length"/>. Holes read as zeros.</summary>
    public override void Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(buffer.Length, Length - offset);
        while (buffer.Length > 0)
        {
            int within = (int)(offset & (ClusterBytes - 1));
            int count = Math.Min(buffer.Length, ClusterBytes - within);
            ReadCluster(Entry(offset), within, buffer[..count]);
            offset += count;
            buffer = buffer[count..];
        }
    }

    /// <summary>Writes the whole disk, holes as zeros, to a stream.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="progress">Told the part done, 0 to 1.</param>
    /// <param name="cancellationToken">Ends the copying.</param>
    public async Task CopyToAsync(Stream target, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[Math.Max(1 << 20, ClusterBytes)];
        for (long at = 0; at < Length;)
        {
            int count = (int)Math.Min(buffer.Length, Length - at);
            Read(at, buffer.AsSpan(0, count));
            await target.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            at += count;
            progress?.Report((double)at / Length);
        }
    }

    /// <inheritdoc/>
    public override long NextData(long offset)
    {
        for (; offset < Length; offset = ((offset >> _clusterBits) + 1) << _clusterBits)
        {
            if ((_roots[(offset >> _clusterBits) / EntriesPerTable] & OffsetMask) == 0)
            {
                // None of what this table would have is there.
                offset |= ((long)EntriesPerTable << _clusterBits) - 1;
            }
            else if (!IsHole(Entry(offset)))
            {
                return offset;
            }
        }

        return Length;
    }

    /// <inheritdoc/>
    public override void Dispose() => _file.Dispose();

    private static bool IsHole(ulong entry) =>
        (entry & CompressedFlag) == 0 && ((entry & ZeroFlag) != 0 || (entry & OffsetMask) == 0);

    private ulong[] ReadRoots(uint count, ulong offset)
    {
        long needed = (((Length - 1) >> _clusterBits) / EntriesPerTable) + 1;
        return count < needed ? throw Bad("its first table is too short") : ReadNumbers(offset, (int)needed);
    }

    private ulong Entry(long offset)
    {
        long cluster = offset >> _clusterBits;
        ulong table = _roots[cluster / EntriesPerTable] & OffsetMask;
        if (table == 0)
        {
            return 0;
        }

        if (!_tables.TryGetValue(table, out ulong[]? entries))
        {
            if (_tables.Count >= MostTables)
            {
                _tables.Clear();
            }

            _tables.Add(table, entries = ReadNumbers(table, EntriesPerTable));
        }

        return entries[cluster % EntriesPerTable];
    }

    private ulong[] ReadNumbers(ulong offset, int count)
    {
        byte[] bytes = new byte[count * sizeof(ulong)];
        ReadFile(offset, bytes);
        ulong[] numbers = new ulong[count];
        for (int i = 0; i < count; i++)
        {
            numbers[i] = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(i * sizeof(ulong)));
        }

        return numbers;
    }

    private void ReadCluster(ulong entry, int within, Span<byte> buffer)
    {
        if (IsHole(entry))
        {
            buffer.Clear();
        }
        else if ((entry & CompressedFlag) == 0)
        {
            ReadFile((entry & OffsetMask) + (uint)within, buffer);
        }
        else
        {
            Inflate(entry);
            _plain.AsSpan(within, buffer.Length).CopyTo(buffer);
        }
    }

    private void Inflate(ulong entry)
    {
        if (_plainOf == entry)
        {
            return;
        }

        _plainOf = 0;
        int offsetBits = 62 - (_clusterBits - 8);
        ulong offset = entry & ((1UL << offsetBits) - 1);
        ulong sectors = ((entry & (CompressedFlag - 1)) >> offsetBits) + 1;
        long length = ((long)sectors * SectorBytes) - (long)(offset % SectorBytes);

        // The last cluster's sectors may reach beyond the end of the file.
        length = Math.Min(Math.Min(length, _compressed.Length), Math.Max(0, _fileBytes - (long)offset));
        ReadFile(offset, _compressed.AsSpan(0, (int)length));
        try
        {
            using var source = new MemoryStream(_compressed, 0, (int)length, writable: false);
            using Stream plain = _zstd ? new ZstdSharp.DecompressionStream(source) : new DeflateStream(source, CompressionMode.Decompress);
            plain.ReadExactly(_plain);
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException or ZstdSharp.ZstdException)
        {
            throw Bad("a compressed cluster is damaged", error);
        }

        _plainOf = entry;
    }

    private void ReadFile(ulong offset, Span<byte> buffer)
    {
        if (offset > (ulong)_fileBytes || buffer.Length > _fileBytes - (long)offset)
        {
            // The file may end within its last cluster; what is missing was never written.
            int there = (int)Math.Clamp(_fileBytes - (long)Math.Min(offset, long.MaxValue), 0, buffer.Length);
            if (there == 0)
            {
                throw Bad("it points beyond its own end");
            }

            buffer[there..].Clear();
            buffer = buffer[..there];
        }

        for (int done = 0; done < buffer.Length;)
        {
            int count = RandomAccess.Read(_file, buffer[done..], (long)offset + done);
            done += count > 0 ? count : throw Bad("it was cut off while it was read");
        }
    }

    private VirtigoException Bad(string why, Exception? inner = null) =>
        new(FailureKind.Host, $"The disk {_path} cannot be read: {why}.", "Look at it: qemu-img check " + Host.ShellQuote.Word(_path), inner);
}
