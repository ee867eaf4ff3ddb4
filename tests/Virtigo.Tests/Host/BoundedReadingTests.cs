using System.Text;
using CsCheck;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class BoundedReadingTests
{
    [Fact]
    public void A_tail_keeps_the_last_bytes_however_they_come() =>
        Gen.Select(Gen.Int[1, 9000], Gen.Byte.Array[0, 5000].Array[0, 8]).Sample((limit, pieces) =>
        {
            var tail = new ByteTail(limit);
            foreach (byte[] piece in pieces)
            {
                tail.Append(piece);
            }

            byte[] all = [.. pieces.SelectMany(piece => piece)];
            Assert.Equal(all.TakeLast(limit), tail.ToArray());
            Assert.Equal(all.Length, tail.Total);
        }, iter: 300);

    [Fact]
    public async Task Lines_are_read_whole_however_they_come() =>
        await Gen.Select(Gen.Char['a', 'c'].Array[0, 40].Array[1, 20], Gen.Int[1, 50], Gen.Bool).SampleAsync(async (lines, piece, ended) =>
        {
            string[] expected = [.. lines.Select(line => new string(line))];
            string text = string.Join('\n', expected) + (ended ? "\r\n" : "");
            var reader = new BoundedLineReader(new PiecewiseStream(Encoding.ASCII.GetBytes(text), piece), 40);
            var read = new List<string>();
            while (await reader.ReadAsync(CancellationToken.None) is { } line)
            {
                read.Add(Encoding.ASCII.GetString(line.Span));
            }

            Assert.Equal(ended || expected[^1].Length > 0 ? expected : expected[..^1], read);
        }, iter: 300, threads: 1);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task After_a_line_that_is_too_long_the_next_is_read(int piece)
    {
        byte[] text = Encoding.ASCII.GetBytes("short\n" + new string('x', 50_000) + "\nnext\n");
        var reader = new BoundedLineReader(new PiecewiseStream(text, piece), 10);

        Assert.Equal("short", Encoding.ASCII.GetString((await reader.ReadAsync(CancellationToken.None))!.Value.Span));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await reader.ReadAsync(CancellationToken.None));
        Assert.Equal("next", Encoding.ASCII.GetString((await reader.ReadAsync(CancellationToken.None))!.Value.Span));
        Assert.Null(await reader.ReadAsync(CancellationToken.None));
    }

    private sealed class PiecewiseStream(byte[] content, int piece) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(piece, buffer.Length)], cancellationToken);
    }
}
