using CsCheck;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class PartitionPlanTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-partitions-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_is_planned_is_what_is_read_back()
    {
        Gen.Int[1, 9].Array[1, 12].Sample(sizes =>
        {
            var disk = new FurtherDisk("data", sizes.Sum() + FurtherDisk.TableMiB)
            {
                Partitions = [.. sizes.Select(size => new FurtherPartition(size, size % 3 == 0 ? "swap" : "ext4", "", ""))],
            };
            string path = Path.Combine(_folder, Guid.NewGuid().ToString("N"));
            using (FileStream file = File.Create(path))
            {
                file.SetLength(disk.MiB << 20);
                disk.Table.Write(file, disk.MiB << 20);
                Assert.Equal(disk.MiB << 20, file.Length);
            }

            long start = 1;
            Partition[] expected = [.. sizes.Select((size, index) =>
            {
                start += size;
                return new Partition(index + 1, (start - size) << 20, (long)size << 20)
                {
                    Type = size % 3 == 0 ? "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f" : "0fc63daf-8483-4772-8e79-3d69d8477de4",
                };
            })];
            Assert.Equal(expected, Read(path));
            File.Delete(path);
        }, iter: 30);
    }

    [Fact]
    public async Task Other_programs_find_the_table_whole_and_the_swap_space_on_it()
    {
        FurtherDisk disk = Data;
        string path = Path.Combine(_folder, "disk.qcow2");
        await disk.Table.CreateAsync(path, disk.MiB << 20, Token);
        Assert.Equal([path], Directory.GetFiles(_folder));
        string raw = Path.Combine(_folder, "disk.raw");
        await QemuImage.RunAsync(["convert", "-f", "qcow2", "-O", "raw", path, raw], "no disk", null, Token);

        await Tool.RunAsync("sfdisk", ["--verify", raw], Token);
        string table = await Tool.RunAsync("sfdisk", ["--dump", raw], Token);
        Assert.Contains("label: gpt", table, StringComparison.Ordinal);
        Assert.Contains("start=        2048, size=      614400, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4", table, StringComparison.Ordinal);
        Assert.Contains("start=      616448, size=      131072, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", table, StringComparison.Ordinal);
        string swap = await Tool.RunAsync("blkid", ["-p", "-O", FormattableString.Invariant($"{616448 * 512}"), "-o", "value", "-s", "UUID", "-s", "TYPE", raw], Token);
        Assert.Equal([disk.FileSystemId(2).ToString(), "swap"], swap.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task A_disk_without_partitions_is_empty()
    {
        string path = Path.Combine(_folder, "disk.qcow2");
        await new FurtherDisk("spare", 64).Table.CreateAsync(path, 64 << 20, Token);
        Assert.Equal(64 << 20, Qcow2Header.Read(path).VirtualBytes);
        using var disk = Qcow2Disk.Open(path);
        using var content = new MemoryStream();
        await disk.CopyToAsync(content, null, Token);
        Assert.DoesNotContain(content.ToArray(), one => one != 0);
    }

    [Fact]
    public void Each_partition_of_each_layout_has_its_own_identity()
    {
        FurtherDisk other = Data with { MiB = Data.MiB + 1 };
        Guid[] ids = [.. new[] { Data, other }.SelectMany(disk => disk.Table.Partitions.Select(one => one.Id).Append(disk.Table.Id).Append(disk.FileSystemId(1)).Append(disk.FileSystemId(2)))];
        Assert.Equal(ids.Distinct(), ids);
        Assert.Equal(Data.FileSystemId(1), Data.FileSystemId(1));
    }

    [Fact]
    public async Task The_installer_makes_and_mounts_what_was_asked_for()
    {
        FurtherDisk deep = new("deep", 512) { Partitions = [new(500, "btrfs", "/srv/more/deep", "noatime,nodev")] };
        string script = FurtherDiskSteps.Script([deep, Data, new FurtherDisk("spare", 64)]);
        Golden.Same("further-disks.sh", script, "Installers");
        string path = Path.Combine(_folder, "script");
        await File.WriteAllTextAsync(path, script, Token);
        await Tool.RunAsync("/bin/sh", ["-n", path], Token);
        string[] mounts = [.. script.Split('\n').Where(line => line.StartsWith("mounted ", StringComparison.Ordinal))];
        Assert.Equal(["mounted 'data' 1 xfs /srv noatime", "mounted 'deep' 1 btrfs /srv/more/deep noatime,nodev"], mounts);
        Assert.Equal("", FurtherDiskSteps.Script([new FurtherDisk("spare", 64)]));
    }

    private static FurtherDisk Data => new("data", 512)
    {
        Partitions = [new(300, "xfs", "/srv", "noatime"), new(64, "swap", "", ""), new(100, "", "", "")],
    };

    private static IReadOnlyList<Partition> Read(string raw)
    {
        string qcow = raw + ".qcow2";
        QemuImage.RunAsync(["convert", "-f", "raw", "-O", "qcow2", raw, qcow], "no disk", null, Token).GetAwaiter().GetResult();
        using var disk = Qcow2Disk.Open(qcow);
        IReadOnlyList<Partition> found = PartitionTable.Read(new DiskRange(disk, 0, disk.Length));
        File.Delete(qcow);
        return found;
    }
}
