namespace Virtigo.Images;

/// <summary>Bytes to be written to a disk.</summary>
/// <param name="Offset">Where, as the guest counts.</param>
/// <param name="Bytes">What: whole sectors of 512 bytes.</param>
internal sealed record DiskChange(long Offset, byte[] Bytes)
{
    /// <summary>The changes that make one range like another, which is as long or shorter; pieces that are near each other are one.</summary>
    public static List<DiskChange> Between(DiskContent before, long start, DiskContent after, CancellationToken cancellationToken)
    {
        const int piece = 4096;
        var changes = new List<DiskChange>();
        byte[] old = new byte[piece];
        byte[] fresh = new byte[piece];
        for (long at = 0; at < after.Length; at += piece)
        {
            cancellationToken.ThrowIfCancellationRequested();
            at = Math.Min(after.NextData(at), before.NextData(start + at) - start) / piece * piece;
            int count = (int)Math.Min(piece, after.Length - at);
            if (count <= 0)
            {
                break;
            }

            before.Read(start + at, old.AsSpan(0, count));
            after.Read(at, fresh.AsSpan(0, count));
            if (old.AsSpan(0, count).SequenceEqual(fresh.AsSpan(0, count)))
            {
                continue;
            }

            if (changes.Count > 0 && changes[^1] is { } last && last.Offset + last.Bytes.Length == start + at)
            {
                changes[^1] = last with { Bytes = [.. last.Bytes, .. fresh.AsSpan(0, count)] };
            }
            else
            {
                changes.Add(new DiskChange(start + at, fresh[..count]));
            }
        }

        return changes;
    }
}
