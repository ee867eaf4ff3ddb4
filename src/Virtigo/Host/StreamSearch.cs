namespace Virtigo.Host;

/// <summary>Looks for words in what a stream says, without keeping it.</summary>
internal static class StreamSearch
{
    private const int WindowBytes = 64 * 1024;

    /// <summary>Reads until one of the words is there, or to the end.</summary>
    /// <param name="stream">The stream; closed when this returns.</param>
    /// <param name="words">The words, each shorter than 1 KiB.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>The index of the words found, or -1.</returns>
    public static async Task<int> FindAsync(Stream stream, IReadOnlyList<byte[]> words, CancellationToken cancellationToken)
    {
        byte[] window = new byte[WindowBytes];
        int longest = words.Max(one => one.Length);
        int kept = 0;
        await using (stream)
        {
            int count;
            while ((count = await ReadAsync(stream, window.AsMemory(kept), cancellationToken)) > 0)
            {
                Span<byte> seen = window.AsSpan(0, kept + count);
                for (int index = 0; index < words.Count; index++)
                {
                    if (seen.IndexOf(words[index]) >= 0)
                    {
                        return index;
                    }
                }

                kept = Math.Min(seen.Length, longest - 1);
                seen[^kept..].CopyTo(window);
            }
        }

        return -1;
    }

    /// <summary>A stream whose other side is gone has come to its end.</summary>
    private static async Task<int> ReadAsync(Stream stream, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.ReadAsync(buffer, cancellationToken);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
