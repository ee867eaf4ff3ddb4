using System.IO.Compression;
using SharpCompress.Compressors.Xz;

namespace Virtigo.Archives;

/// <summary>Opens compressed streams by the suffix of their names.</summary>
internal static class Decompression
{
    /// <summary>A stream of the decompressed content.</summary>
    /// <param name="packed">The compressed stream; closed with the result.</param>
    /// <param name="suffix">One of <c>.xz</c>, <c>.gz</c>, <c>.zst</c>, or empty for none.</param>
    /// <param name="name">What is read, for messages.</param>
    public static Stream Open(Stream packed, string suffix, string name) => suffix switch
    {
        ".xz" => new XZStream(packed),
        ".gz" => new GZipStream(packed, CompressionMode.Decompress),
        ".zst" => new ZstdSharp.DecompressionStream(packed, leaveOpen: false),
        "" => packed,
        _ => throw new VirtigoException(FailureKind.Archive, $"{name} is compressed as \"{Text.Shorten(suffix)}\", expected .xz, .gz, .zst or none."),
    };

    /// <summary>Whether an error of a decompressor, or of a reader of tar archives, means that its input is damaged.</summary>
    public static bool IsDamage(Exception e) => e is InvalidDataException or EndOfStreamException or IndexOutOfRangeException
        or ZstdSharp.ZstdException or SharpCompress.Common.SharpCompressException or NotSupportedException or OverflowException
        or FormatException or ArgumentException or NullReferenceException or InvalidOperationException;

    /// <summary>Reads a whole file, decompressed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="suffix">Its compression, by suffix.</param>
    /// <param name="limit">The most bytes it may have decompressed.</param>
    /// <param name="name">What is read, for messages.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">It is damaged or larger than the limit (<see cref="FailureKind.Archive"/>).</exception>
    public static async Task<byte[]> ReadAllAsync(string path, string suffix, long limit, string name, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        await using Stream stream = Open(file, suffix, name);
        return await Task.Run(() => ReadAll(stream, limit, name, cancellationToken), cancellationToken);
    }

    /// <summary>Reads the rest of a stream.</summary>
    public static byte[] ReadAll(Stream stream, long limit, string name, CancellationToken cancellationToken = default)
    {
        byte[] content = new byte[Math.Min(limit, 1 << 20)];
        int length = 0;
        try
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (length == content.Length)
                {
                    int next = stream.ReadByte();
                    if (next < 0)
                    {
                        return content;
                    }

                    if (length >= limit)
                    {
                        throw new VirtigoException(FailureKind.Archive, $"{name} has more than the {limit} bytes it may have decompressed.");
                    }

                    Array.Resize(ref content, (int)Math.Min(limit, content.Length * 2L));
                    content[length++] = (byte)next;
                }

                int read = stream.Read(content, length, content.Length - length);
                if (read == 0 && length < content.Length)
                {
                    Array.Resize(ref content, length);
                    return content;
                }

                length += read;
            }
        }
        catch (Exception e) when (IsDamage(e))
        {
            throw new VirtigoException(FailureKind.Archive, $"{name} is damaged: {e.Message}", "Fetch it again.", e);
        }
    }
}
