using System.Text;
using Virtigo.Archives;
using Virtigo.Images;
using Virtigo.Installers.Debian;

namespace Virtigo.GuestTests.Ubuntu;

/// <summary>
/// A medium that looks like Ubuntu's live server: a real kernel, Debian's, and an initial file system that checks what it was given and speaks
/// as the installer does. What it writes to the disk switches the machine off as soon as it is started from it: it is no system.
/// </summary>
internal static class LookAlikeMedium
{
    public const string Info = "Ubuntu-Server 24.04.3 LTS \"Noble Numbat\" - Release amd64 (20250805.1)";

    private static readonly string[] s_modules = ["virtio_pci", "virtio_blk", "virtio_net", "af_packet", "ata_piix", "sr_mod", "isofs"];

    private const string Address = """
        #!/bin/busybox sh
        [ -n "$ip" ] || exit 0
        ip addr add "$ip/24" dev "$interface"
        ip route add default via "$router"

        """;

    private const string Mount = """
        #!/bin/busybox sh
        for word; do
            shift
            [ "$word" = LABEL=cidata ] && word=/dev/vdb
            set -- "$@" "$word"
        done
        exec /bin/busybox mount "$@"

        """;

    private const string Curtin = """
        #!/bin/busybox sh
        [ "$1 $2 $3" = "in-target --target=/target --" ] || exit 9
        shift 3
        exec chroot /target "$@"

        """;

    /// <summary>Writes the medium.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="lab">Has the kernel and busybox.</param>
    /// <param name="expected">Lines that the answers must have.</param>
    /// <param name="fails">Whether one of its steps fails.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public static async Task WriteAsync(string path, Lab lab, IReadOnlyList<string> expected, bool fails, CancellationToken cancellationToken)
    {
        InstallerBuild debian = await lab.Installer;
        byte[] initrd = await InitrdAsync(lab, debian.KernelVersion, expected, cancellationToken);
        await using FileStream medium = File.Create(path);
        await new IsoWriter("Ubuntu-Server 24.04.3 LTS amd64").WriteAsync(medium,
        [
            IsoContent.Of(".disk/info", Info),
            IsoContent.Of("casper/vmlinuz", await File.ReadAllBytesAsync(debian.KernelPath, cancellationToken)),
            IsoContent.Of("casper/initrd", initrd),
            IsoContent.Of("casper/disk.img", Disk()),
            .. fails ? [IsoContent.Of("casper/fails", "yes")] : Array.Empty<IsoContent>(),
        ], cancellationToken);
    }

    /// <summary>A boot sector that switches a PC of QEMU's off: it writes the sleep type of S5 to the power management's control port.</summary>
    private static byte[] Disk()
    {
        byte[] disk = new byte[1 << 20];
        new byte[] { 0xBA, 0x04, 0x06, 0xB8, 0x00, 0x20, 0xEF, 0xF4, 0xEB, 0xFD }.CopyTo(disk, 0);
        (disk[510], disk[511]) = (0x55, 0xAA);
        return disk;
    }

    private static async Task<byte[]> InitrdAsync(Lab lab, string kernel, IReadOnlyList<string> expected, CancellationToken cancellationToken)
    {
        const UnixFileMode program = (UnixFileMode)0x1ED;
        using var initrd = new MemoryStream();
        var writer = new CpioWriter(initrd);
        Task Add(string path, byte[] content) => writer.WriteFileAsync(path, program, content, cancellationToken);
        await Add("init", Script());
        await Add("bin/busybox", await lab.ReadPackagedFileAsync("busybox-static", "usr/bin/busybox"));
        await Add("bin/mount", Encoding.UTF8.GetBytes(Mount));
        await Add("bin/curtin", Encoding.UTF8.GetBytes(Curtin));
        await Add("udhcpc.sh", Encoding.UTF8.GetBytes(Address));
        await Add("expected", Encoding.UTF8.GetBytes(string.Concat(expected.Select(line => line + "\n"))));
        int number = 0;
        foreach ((string name, byte[] module) in await ModulesAsync(lab, kernel))
        {
            await Add($"modules/{number++:00}-{name}.ko", module);
        }

        await writer.FinishAsync(cancellationToken);
        return initrd.ToArray();
    }

    private static byte[] Script()
    {
        using Stream script = typeof(LookAlikeMedium).Assembly.GetManifestResourceStream("look-alike.sh")!;
        using var copy = new MemoryStream();
        script.CopyTo(copy);
        return copy.ToArray();
    }

    /// <summary>The kernel's modules, those that others need before them.</summary>
    private static async Task<IReadOnlyList<(string Name, byte[] Module)>> ModulesAsync(Lab lab, string kernel)
    {
        const long most = 16 << 20;
        var all = new Dictionary<string, (byte[] Packed, string Suffix)>(StringComparer.Ordinal);
        using (DebPackage deb = DebPackage.Open(await lab.PackageAsync("linux-image-" + kernel)))
        {
            foreach (DebEntry entry in deb.Files())
            {
                if (entry.Content is not null && entry.Size < most && KernelModule.NameOf(entry.Path) is { } name)
                {
                    all[name] = (Decompression.ReadAll(entry.Content, most, entry.Path), Path.GetExtension(entry.Path) is ".ko" ? "" : Path.GetExtension(entry.Path));
                }
            }
        }

        var chosen = new List<(string, byte[])>();
        var seen = new HashSet<string>();
        void Choose(string name)
        {
            // What is no module is part of the kernel.
            if (seen.Add(name) && all.TryGetValue(name, out (byte[] Packed, string Suffix) found))
            {
                byte[] module = found.Suffix.Length == 0 ? found.Packed
                    : Decompression.ReadAll(Decompression.Open(new MemoryStream(found.Packed), found.Suffix, name), most, name);
                foreach (string needed in KernelModule.Depends(module))
                {
                    Choose(needed);
                }

                chosen.Add((name, module));
            }
        }

        Array.ForEach(s_modules, Choose);
        return chosen;
    }
}
