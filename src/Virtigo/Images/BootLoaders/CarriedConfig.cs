using System.Formats.Tar;
using System.Text;

namespace Virtigo.Images;

/// <summary>
/// The configuration that a core made here carries on a memory disk. It goes on with the image's own <c>grub.cfg</c> where there is one, and
/// otherwise has an entry for every kernel that it finds when it runs: so nothing need be written into the image's file systems.
/// </summary>
internal static class CarriedConfig
{
    private const string KernelLine = "linux \"$1\" root=UUID=";
    private const string BeforeArguments = " ro $flags";
    /// <summary>Where a system may be on a file system: subvolumes of btrfs are folders to GRUB.</summary>
    public static IReadOnlyList<string> Systems { get; } = ["", "/@", "/@rootfs"];

    // After the systems, of which they are made.
    private static readonly string[] s_kernelFolders = ["", .. Systems.Select(at => at + "/boot")];

    /// <summary>Where an image's own configuration is looked for.</summary>
    public static IReadOnlyList<string> Folders { get; } = ["/boot/grub", "/grub", "/boot/grub2", "/grub2", .. Systems.Skip(1).Select(at => at + "/boot/grub")];

    /// <summary>The configuration, as GRUB's script.</summary>
    /// <param name="boot">The UUID of the file system with the kernels.</param>
    /// <param name="root">The UUID of the file system that the kernel is told to take as root.</param>
    /// <param name="kernel">The kernel that is best taken first, if that is known.</param>
    /// <param name="arguments">What kernels are told besides.</param>
    public static string Script(string boot, string root, string? kernel, string arguments)
    {
        IEnumerable<string> kernels = s_kernelFolders.Select(folder => $"($root){folder}/vmlinuz")
            .Concat(s_kernelFolders.Select(folder => $"($root){folder}/vmlinuz-*"));
        if (kernel is not null)
        {
            kernels = kernels.Prepend($"\"($root){kernel}\"");
        }

        return $$"""
            # Carried in the core by virtigo bootloader.
            search --no-floppy --fs-uuid --set=root {{boot}}
            set found=
            for folder in {{string.Join(' ', Folders)}}; do
              if [ -z "$found" -a -s "($root)$folder/grub.cfg" ]; then set found="$folder"; fi
            done
            if [ -n "$found" ]; then
              if [ -s "($root)$found/grubenv" ]; then load_env --file "($root)$found/grubenv" saved_entry; fi
              configfile "($root)$found/grub.cfg"
            fi
            set default=0
            set timeout=2
            set first=
            for kernel in {{string.Join(' ', kernels)}}; do
              if [ -f "$kernel" -a "$kernel" != "$first" ]; then
                if [ -z "$first" ]; then set first="$kernel"; fi
                menuentry "$kernel" {
                  set version=
                  set folder=
                  regexp --set=1:version 'vmlinuz-(.*)$' "$1"
                  regexp --set=1:folder '^(.*)/vmlinuz' "$1"
                  set flags=
                  if regexp --set=1:subvolume '/(@[a-z]*)/boot/' "$1"; then set flags="rootflags=subvol=$subvolume"; fi
                  {{KernelLine}}{{root}}{{BeforeArguments}} {{arguments}}
                  for initrd in "$folder/initrd.img-$version" "$folder/initramfs-$version.img" "$folder/initrd-$version" "$folder/initrd.img"; do
                    if [ -f "$initrd" ]; then initrd "$initrd"; break; fi
                  done
                }
              fi
            done

            """;
    }

    /// <summary>What a configuration of this kind tells kernels; null when it is none. A guest's word.</summary>
    public static string? Arguments(string script)
    {
        string? line = script.Split('\n').Select(one => one.Trim()).FirstOrDefault(one => one.StartsWith(KernelLine, StringComparison.Ordinal));
        return line?.IndexOf(BeforeArguments, StringComparison.Ordinal) is { } at and >= 0 ? line[(at + BeforeArguments.Length)..].Trim() : null;
    }

    /// <summary>The same as the memory disk has it: an archive with the one file, the same bytes for the same text.</summary>
    public static byte[] Archive(string script)
    {
        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, TarEntryFormat.Ustar, leaveOpen: true))
        {
            writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, "boot/grub/grub.cfg")
            {
                ModificationTime = DateTimeOffset.UnixEpoch, DataStream = new MemoryStream(Encoding.UTF8.GetBytes(script)),
            });
        }

        return archive.ToArray();
    }

    /// <summary>The newest kernel of a file system, and the initial file system that belongs to it.</summary>
    public static (string Kernel, string? Initrd)? NewestKernel(IVolumeFiles files)
    {
        foreach (string folder in s_kernelFolders.Skip(1).Append(""))
        {
            string? newest = files.Names(folder.Length == 0 ? "/" : folder)
                .Where(name => name.StartsWith("vmlinuz-", StringComparison.Ordinal) && files.File($"{folder}/{name}") is { Size: > 0 })
                .MaxBy(name => name, Comparer<string>.Create(BootFinder.CompareNumbers));
            if ((newest ?? (files.File($"{folder}/vmlinuz") is { Size: > 0 } ? "vmlinuz" : null)) is { } name)
            {
                string version = name.Length > "vmlinuz-".Length ? name["vmlinuz-".Length..] : "";
                string[] initrds = [$"{folder}/initrd.img-{version}", $"{folder}/initramfs-{version}.img", $"{folder}/initrd-{version}", $"{folder}/initrd.img"];
                return ($"{folder}/{name}", initrds.FirstOrDefault(one => files.File(one) is { Size: > 0 }));
            }
        }

        return null;
    }
}
