using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>Makes cores of GRUB from this host's modules.</summary>
internal static class GrubBuilder
{
    private const string Folder = "/usr/lib/grub";
    private const string Bios = "i386-pc";
    private const string Uefi = "x86_64-efi";

    /// <summary>What any configuration may ask for. Modules of an image may be of another version than the core, so none is left to be loaded.</summary>
    private static readonly string[] s_whole =
    [
        "normal", "linux", "configfile", "search", "search_fs_uuid", "search_label", "search_fs_file", "memdisk", "tar", "echo", "test", "true", "sleep", "ls",
        "cat", "regexp", "loadenv", "minicmd", "halt", "reboot", "serial", "terminal", "gettext", "gzio", "chain", "part_msdos", "part_gpt",
    ];

    /// <summary>Without them a kernel that UEFI started knows of no screen.</summary>
    private static readonly string[] s_uefi = ["all_video"];

    /// <summary>A file that a GRUB for BIOS is made of.</summary>
    /// <exception cref="VirtigoException">The package that has it is not installed (<see cref="FailureKind.Host"/>).</exception>
    public static byte[] BiosFile(string name) => File.ReadAllBytes(Path.Combine(FolderOf(BootFirmware.Bios), name));

    /// <summary>A core that carries its configuration and every module that this may need.</summary>
    /// <param name="firmware">For which firmware.</param>
    /// <param name="modules">What it needs to read the file systems.</param>
    /// <param name="script">The configuration.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static Task<byte[]> WholeAsync(BootFirmware firmware, IEnumerable<string> modules, string script, CancellationToken cancellationToken) =>
        MakeAsync(firmware, "(memdisk)/boot/grub", [.. modules, .. s_whole], script, null, cancellationToken);

    /// <summary>A core that only finds its own modules on a file system: for the smallest gaps.</summary>
    public static Task<byte[]> SmallAsync(IEnumerable<string> modules, string uuid, string folder, CancellationToken cancellationToken) =>
        MakeAsync(BootFirmware.Bios, folder, [.. modules, "search_fs_uuid"], null, $"search.fs_uuid {uuid} root\nset prefix=($root){folder}\n", cancellationToken);

    private static async Task<byte[]> MakeAsync(
        BootFirmware firmware, string prefix, IEnumerable<string> modules, string? carried, string? config, CancellationToken cancellationToken)
    {
        string from = FolderOf(firmware);
        DirectoryInfo work = Directory.CreateTempSubdirectory("virtigo-grub-");
        try
        {
            string core = Path.Combine(work.FullName, "core");
            var arguments = new List<string> { "-d", from, "-O", firmware == BootFirmware.Bios ? Bios : Uefi, "-o", core, "-p", prefix };
            if (carried is not null)
            {
                string archive = Path.Combine(work.FullName, "memdisk.tar");
                await File.WriteAllBytesAsync(archive, CarriedConfig.Archive(carried), cancellationToken);
                arguments.AddRange(["-m", archive]);
            }

            if (config is not null)
            {
                string early = Path.Combine(work.FullName, "early.cfg");
                await File.WriteAllTextAsync(early, config, cancellationToken);
                arguments.AddRange(["-c", early]);
            }

            await Tool.RunAsync("grub-mkimage",
                [.. arguments, .. (firmware == BootFirmware.Bios ? modules.Prepend("biosdisk") : modules.Concat(s_uefi)).Distinct(StringComparer.Ordinal)], cancellationToken);
            return await File.ReadAllBytesAsync(core, cancellationToken);
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static string FolderOf(BootFirmware firmware)
    {
        (string folder, string package) = firmware == BootFirmware.Bios ? (Bios, "grub-pc-bin") : (Uefi, "grub-efi-amd64-bin");
        folder = Path.Combine(Folder, folder);
        return File.Exists(Path.Combine(folder, "normal.mod")) ? folder
            : throw new VirtigoException(FailureKind.Host, $"GRUB's modules are not in {folder}.", $"apt install {package}");
    }
}
