namespace Virtigo.Installers.Debian;

/// <summary>Kernel and initial file system of an installer, unpacked in the cache.</summary>
/// <param name="Key">What it was made of, as a hash.</param>
/// <param name="Directory">The folder in the cache.</param>
/// <param name="Record">What is known of it.</param>
internal sealed record InstallerBase(string Key, string Directory, InstallerBaseRecord Record)
{
    /// <summary>The name of the kernel in the folder.</summary>
    public const string KernelName = "linux";

    /// <summary>The name of the plain initial file system in the folder.</summary>
    public const string InitrdName = "initrd";

    /// <summary>The name of the initial file system's debconf templates in the folder.</summary>
    public const string TemplatesName = "templates";

    /// <summary>The name of what is remembered of it.</summary>
    public const string RecordName = "installer.json";

    /// <summary>The kernel.</summary>
    public string KernelPath => Path.Combine(Directory, KernelName);

    /// <summary>The initial file system, a plain cpio archive.</summary>
    public string InitrdPath => Path.Combine(Directory, InitrdName);

    /// <summary>The debconf templates.</summary>
    public string TemplatesPath => Path.Combine(Directory, TemplatesName);

    /// <summary>Whether every file is there.</summary>
    public bool IsComplete => File.Exists(KernelPath) && File.Exists(InitrdPath) && File.Exists(TemplatesPath);

    /// <summary>What the initial file system holds.</summary>
    public InstallerContents Contents => Record.Contents;

    /// <summary>The version of the installer's build.</summary>
    public string Version => Contents.Version ?? Record.SourceVersion ?? "unknown";
}
