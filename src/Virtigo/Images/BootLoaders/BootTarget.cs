namespace Virtigo.Images;

/// <summary>What is to be booted.</summary>
/// <param name="Boot">The file system with the kernels.</param>
/// <param name="Root">The file system that becomes root.</param>
/// <param name="Folder">The folder of GRUB's own files on it; null when it is not known to have one.</param>
/// <param name="Kernel">The newest kernel; null when it is not known.</param>
internal sealed record BootTarget(BootVolume Boot, BootVolume Root, string? Folder, string? Kernel)
{
    /// <summary>Finds it: a file system with a configuration of GRUB's, else with a kernel, else one that GRUB can look into but we cannot.</summary>
    public static BootTarget? Find(BootDisk disk)
    {
        BootVolume[] candidates = [.. disk.Volumes.Where(one => one != disk.Esp && one.System is { GrubModule: not null, Uuid: not null })];
        BootVolume? root = candidates.FirstOrDefault(one => one.Files is { } files && CarriedConfig.Systems.Any(at => files.File(at + "/etc/fstab") is not null))
            ?? candidates.Where(one => one.Files is null).MaxBy(one => one.Range.Length);
        foreach (BootVolume one in candidates.Where(one => one.Files is not null))
        {
            if (CarriedConfig.Folders.FirstOrDefault(folder => one.Files!.File(folder + "/grub.cfg") is { Size: > 0 }) is { } folder)
            {
                return new BootTarget(one, root ?? one, folder, CarriedConfig.NewestKernel(one.Files!)?.Kernel);
            }
        }

        foreach (BootVolume one in candidates.Where(one => one.Files is not null))
        {
            if (CarriedConfig.NewestKernel(one.Files!) is { } kernel)
            {
                return new BootTarget(one, root ?? one, null, kernel.Kernel);
            }
        }

        // Of several that cannot be read the first is /boot, as installers divide disks.
        return candidates.FirstOrDefault(one => one.Files is null) is { } unread ? new BootTarget(unread, root ?? unread, null, null) : null;
    }

    /// <summary>The modules that GRUB reads it by.</summary>
    public IEnumerable<string> Modules
    {
        get
        {
            IEnumerable<string> modules = new[] { Boot.System!.GrubModule!, Root.System!.GrubModule! };
            return Boot.Device.StartsWith("lvm/", StringComparison.Ordinal) ? modules.Append("lvm") : modules;
        }
    }
}
