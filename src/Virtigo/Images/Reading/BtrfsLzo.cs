using System.Buffers.Binary;

namespace Virtigo.Images;

/// <summary>
/// Expands what btrfs has compressed by LZO: segments of a sector each, by LZO1X as the kernel describes it (Documentation/staging/lzo.rst).
/// </summary>
internal static class BtrfsLzo
{
    private const int LengthBytes = 4;

    /// <summary>Expands.</summary>
    /// <param name="packed">A length of all, then segments, each after its length; a length does not lie across the end of a sector.</param>
    /// <param name="sector">The size of a sector, in bytes.</param>
    /// <param name="target">Where to; what nothing is left for stays as it is.</param>
    /// <exception cref="InvalidDataException">It cannot be expanded.</exception>
    public static void Expand(ReadOnlySpan<byte> packed, int sector, Span<byte> target)
    {
        int end = Length(packed, 0);
        if (end > packed.Length)
        {
            throw Damaged();
        }

        for (int at = LengthBytes; at < end && !target.IsEmpty;)
        {
            int left = sector - (at % sector);
            at += left < LengthBytes ? left : 0;
            int length = Length(packed, at);
            at += LengthBytes;
            if (length > packed.Length - at)
            {
                throw Damaged();
            }

            int most = Math.Min(sector, target.Length);
            Segment(packed.Slice(at, length), target[..most]);
            target = target[most..];
            at += length;
        }
    }

    private static int Length(ReadOnlySpan<byte> bytes, int at) =>
        at <= bytes.Length - LengthBytes && BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]) is >= 0 and var length ? length : throw Damaged();

    private static InvalidDataException Damaged() => new("it is damaged");

    private static void Segment(ReadOnlySpan<byte> packed, Span<byte> target)
    {
        var writer = new Writer(packed, target);

        // How many literals came last decides what a small instruction means.
        int literals = 0;
        if (!packed.IsEmpty && packed[0] > 17)
        {
            int count = writer.Next() - 17;
            writer.Literals(count);
            literals = Math.Min(count, 4);
        }

        while (true)
        {
            int instruction = writer.Next();
            if (instruction < 16 && literals == 0)
            {
                writer.Literals(3 + writer.Long(instruction, 15));
                literals = 4;
                continue;
            }

            int length, distance, last = instruction;
            switch (instruction)
            {
                case >= 64:
                    length = (instruction >> 5) + 1;
                    distance = 1 + ((instruction >> 2) & 7) + (writer.Next() << 3);
                    break;
                case >= 32:
                    length = 2 + writer.Long(instruction & 31, 31);
                    last = writer.Pair();
                    distance = 1 + (last >> 2);
                    break;
                case >= 16:
                    length = 2 + writer.Long(instruction & 7, 7);
                    last = writer.Pair();
                    distance = ((instruction & 8) << 11) + (last >> 2);
                    if (distance == 0)
                    {
                        return;
                    }

                    distance += 0x4000;
                    break;
                default:
                    length = literals == 4 ? 3 : 2;
                    distance = (literals == 4 ? 0x801 : 1) + (instruction >> 2) + (writer.Next() << 2);
                    break;
            }

            writer.Again(distance, length);
            literals = last & 3;
            writer.Literals(literals);
        }
    }

    private ref struct Writer(ReadOnlySpan<byte> packed, Span<byte> target)
    {
        private readonly ReadOnlySpan<byte> _packed = packed;
        private readonly Span<byte> _target = target;
        private int _at;
        private int _done;

        public int Next() => _at < _packed.Length ? _packed[_at++] : throw Damaged();

        public int Pair() => Next() | (Next() << 8);

        /// <summary>A length: what the instruction says, or when that is nothing, what zeros and a last byte add up to.</summary>
        public int Long(int said, int most)
        {
            if (said != 0)
            {
                return said;
            }

            int length = most;
            int more;
            while ((more = Next()) == 0)
            {
                length = length <= _target.Length ? length + 255 : throw Damaged();
            }

            return length + more;
        }

        public void Literals(int count)
        {
            if (count > _packed.Length - _at || count > _target.Length - _done)
            {
                throw Damaged();
            }

            _packed.Slice(_at, count).CopyTo(_target[_done..]);
            (_at, _done) = (_at + count, _done + count);
        }

        /// <summary>Writes again what was written before; a part may overlap with itself.</summary>
        public void Again(int distance, int length)
        {
            if (distance > _done || length > _target.Length - _done)
            {
                throw Damaged();
            }

            for (int end = _done + length; _done < end; _done++)
            {
                _target[_done] = _target[_done - distance];
            }
        }
    }
}
