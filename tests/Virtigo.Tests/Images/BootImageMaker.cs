using System.Buffers.Binary;
using System.Globalization;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Images;

/// <summary>Makes disks as people make them by hand: sfdisk divides, mkfs fills, nothing is mounted.</summary>
internal sealed class BootImageMaker(string folder)
{
    public const string BiosBoot = "21686148-6449-6E6F-744E-656564454649";
    public const string Esp = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
    public const string Uuid = "11111111-2222-3333-4444-555555555555";
    public const int Kernels = 3;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A tree as debootstrap leaves it with a kernel: without GRUB.</summary>
    public string Tree(bool grub, bool modules = false)
    {
        string tree = Path.Combine(folder, Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(Path.Combine(tree, "etc"));
        Directory.CreateDirectory(Path.Combine(tree, "boot"));
        File.WriteAllText(Path.Combine(tree, "etc", "fstab"), "");
        foreach (string version in (string[])["6.9.0", "6.12.0"])
        {
            File.WriteAllText(Path.Combine(tree, "boot", "vmlinuz-" + version), "a kernel");
            File.WriteAllText(Path.Combine(tree, "boot", "initrd.img-" + version), "an initrd");
        }

        if (grub)
        {
            Directory.CreateDirectory(Path.Combine(tree, "boot", "grub", "i386-pc"));
            File.WriteAllText(Path.Combine(tree, "boot", "grub", "grub.cfg"), $$"""
                set timeout=0
                menuentry 'Debian' {
                  search --no-floppy --fs-uuid --set=root {{Uuid}}
                  linux /boot/vmlinuz-6.12.0 root=UUID={{Uuid}} ro
                  initrd /boot/initrd.img-6.12.0
                }
                menuentry 'Older' {
                  linux /boot/vmlinuz-6.9.0 root=UUID={{Uuid}} ro
                  initrd /boot/initrd.img-6.9.0
                }

                """);
        }

        foreach (string module in modules ? Directory.EnumerateFiles("/usr/lib/grub/i386-pc", "*.mod") : [])
        {
            File.Copy(module, Path.Combine(tree, "boot", "grub", "i386-pc", Path.GetFileName(module)));
        }

        return tree;
    }

    /// <summary>A raw disk; each partition's place and size in sectors, its type and what it is formatted with.</summary>
    public async Task<string> DiskAsync(string label, int sector, params (int Start, int Size, string Type, string? Tree)[] parts)
    {
        string disk = Path.Combine(folder, Guid.NewGuid().ToString("N") + ".img");
        int end = parts.Max(part => part.Start + part.Size) + 64;
        await using (var file = new FileStream(disk, FileMode.CreateNew))
        {
            file.SetLength((long)end * sector);
        }

        if (sector == 512)
        {
            string script = $"label: {label}\n" + string.Concat(parts.Select(part => $"start={part.Start}, size={part.Size}, type={part.Type}\n"));
            ToolResult divided = await Tool.TryRunAsync(new ChildCommand("sfdisk", ["-q", disk]), System.Text.Encoding.ASCII.GetBytes(script), Token);
            Assert.True(divided.ExitCode == 0, divided.Error);
        }
        else
        {
            DivideLarge(disk, sector, parts);
        }

        foreach ((int start, int size, string type, string? tree) in parts)
        {
            long bytes = (long)size * sector;
            string system = Path.Combine(folder, Guid.NewGuid().ToString("N"));
            if (type is Esp or "ef")
            {
                await Tool.RunAsync("mkfs.vfat", ["-S", sector.ToString(CultureInfo.InvariantCulture), "-C", system, (bytes / 1024).ToString(CultureInfo.InvariantCulture)], Token);
            }
            else if (tree is not null)
            {
                await Tool.RunAsync("mke2fs", ["-q", "-F", "-t", "ext4", "-U", Uuid, "-d", tree, "-E", "root_owner=0:0", system, $"{bytes / 1024}k"], Token);
            }
            else
            {
                continue;
            }

            await PutAsync(disk, (long)start * sector, system);
        }

        return disk;
    }

    /// <summary>A GPT that counts in large sectors, which sfdisk makes on such devices only.</summary>
    private static void DivideLarge(string disk, int sector, (int Start, int Size, string Type, string? Tree)[] parts)
    {
        byte[] table = new byte[3 * sector];
        (table[450], table[510], table[511]) = (0xEE, 0x55, 0xAA);
        BinaryPrimitives.WriteInt32LittleEndian(table.AsSpan(454), 1);
        BinaryPrimitives.WriteInt32LittleEndian(table.AsSpan(458), parts.Max(part => part.Start + part.Size));
        Span<byte> header = table.AsSpan(sector);
        "EFI PART"u8.CopyTo(header);
        BinaryPrimitives.WriteInt64LittleEndian(header[72..], 2);
        BinaryPrimitives.WriteInt32LittleEndian(header[80..], 4);
        BinaryPrimitives.WriteInt32LittleEndian(header[84..], 128);
        foreach ((int index, (int start, int size, string type, _)) in parts.Index())
        {
            Span<byte> entry = table.AsSpan((2 * sector) + (128 * index));
            (type == "linux" ? new Guid("0FC63DAF-8483-4772-8E79-3D69D8477DE4") : new Guid(type)).TryWriteBytes(entry);
            BinaryPrimitives.WriteInt64LittleEndian(entry[32..], start);
            BinaryPrimitives.WriteInt64LittleEndian(entry[40..], start + size - 1);
        }

        Write(disk, 0, table);
    }

    /// <summary>An old table with one partition.</summary>
    public Task<string> MbrAsync(string tree, int start = 2048) => DiskAsync("dos", 512, (start, 40960, "83", tree));

    /// <summary>Writes a file into a disk.</summary>
    public static async Task PutAsync(string disk, long at, string file)
    {
        await using FileStream target = File.OpenWrite(disk);
        target.Position = at;
        await using FileStream source = File.OpenRead(file);
        await source.CopyToAsync(target, Token);
    }

    /// <summary>Writes bytes into a raw disk.</summary>
    public static void Write(string disk, long at, params byte[] bytes)
    {
        using FileStream file = File.OpenWrite(disk);
        file.Position = at;
        file.Write(bytes);
    }
}
