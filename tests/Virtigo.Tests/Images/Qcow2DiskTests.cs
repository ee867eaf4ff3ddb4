using System.Buffers.Binary;
using CsCheck;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class Qcow2DiskTests : IDisposable
{
    private const int Size = 3 << 20;
    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-test-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Disk => Path.Combine(_folder, "disk.qcow2");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>What qemu-img writes in each of its ways is read as qemu-img reads it: it is the other implementation.</summary>
    [Theory]
    [InlineData("-o", "compat=1.1")]
    [InlineData("-o", "compat=0.10")]
    [InlineData("-o", "cluster_size=512")]
    [InlineData("-o", "cluster_size=2M")]
    [InlineData("-c")]
    [InlineData("-c", "-W", "-m", "4")]
    [InlineData("-c", "-o", "compression_type=zstd")]
    [InlineData("-c", "-o", "compression_type=zstd,cluster_size=2M")]
    [InlineData("-S", "0", "-o", "preallocation=metadata")]
    public async Task Every_byte_is_what_qemu_img_wrote(params string[] how)
    {
        byte[] content = Content();
        string raw = Path.Combine(_folder, "disk.raw");
        await File.WriteAllBytesAsync(raw, content, Token);
        await Tool.RunAsync("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", .. how, raw, Disk], Token);
        using var disk = Qcow2Disk.Open(Disk);
        Assert.Equal(Size, disk.Length);
        using var copy = new MemoryStream();
        await disk.CopyToAsync(copy, null, Token);
        Assert.True(content.AsSpan().SequenceEqual(copy.GetBuffer().AsSpan(0, (int)copy.Length)));
        Gen.Int[0, Size].Select(Gen.Int[0, 70_000]).Sample(
            (start, length) =>
            {
                length = Math.Min(length, Size - start);
                byte[] part = new byte[length];
                disk.Read(start, part);
                return part.AsSpan().SequenceEqual(content.AsSpan(start, length));
            },
            iter: 300, threads: 1);
    }

    [Fact]
    public async Task A_disk_that_needs_another_file_or_an_unknown_feature_is_refused()
    {
        await Tool.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", "-o", "extended_l2=on", Disk, "8M"], Token);
        Assert.Contains("not known here", Assert.Throws<VirtigoException>(() => Qcow2Disk.Open(Disk)).Message, StringComparison.Ordinal);
        string over = Path.Combine(_folder, "over.qcow2");
        await Tool.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", Disk, over], Token);
        Assert.Throws<VirtigoException>(() => Qcow2Disk.Open(over));
        Assert.Throws<VirtigoException>(() => Qcow2Disk.Open(Path.Combine(_folder, "no such disk")));
    }

    [Fact]
    public async Task However_a_disk_is_damaged_reading_it_ends_in_bytes_or_in_a_sentence()
    {
        string raw = Path.Combine(_folder, "disk.raw");
        await File.WriteAllBytesAsync(raw, Content(), Token);
        await Tool.RunAsync("qemu-img", ["convert", "-c", "-f", "raw", "-O", "qcow2", raw, Disk], Token);
        byte[] sound = await File.ReadAllBytesAsync(Disk, Token);
        byte[] part = new byte[200_000];
        Gen.Int[0, 400].Select(Gen.Int[0, 8191]).Array[1, 4].Select(Gen.ULong, Gen.Int[0, 3]).Sample(
            (places, value, kind) =>
            {
                byte[] damaged = [.. kind == 3 ? sound.AsSpan(0, sound.Length / 2) : sound];
                foreach ((int cluster, int word) in places)
                {
                    // Most of all the header and the tables, which lie at the beginning.
                    int at = Math.Min(((cluster % 8) * 65536) + (word * 8), damaged.Length - 8) & ~7;
                    BinaryPrimitives.WriteUInt64BigEndian(damaged.AsSpan(kind == 0 ? word % 13 * 8 : at), value);
                }

                File.WriteAllBytes(Disk, damaged);
                try
                {
                    using var disk = Qcow2Disk.Open(Disk);
                    for (long start = 0; start < Math.Min(disk.Length, Size); start += part.Length)
                    {
                        disk.Read(start, part.AsSpan(0, (int)Math.Min(part.Length, disk.Length - start)));
                    }
                }
                catch (VirtigoException error)
                {
                    Assert.Equal(FailureKind.Host, error.Kind);
                }
            },
            time: 2, threads: 1);
    }

    /// <summary>Text, noise and holes, none of them at the edges of clusters.</summary>
    private static byte[] Content()
    {
        byte[] content = new byte[Size];
        var random = new SeededRandom(7);
        for (int i = 100_000; i < 1_500_000; i++)
        {
            content[i] = (byte)(i / 1000);
        }

        for (int i = 2_200_001; i < Size - 1; i++)
        {
            content[i] = (byte)random.Next();
        }

        return content;
    }
}
