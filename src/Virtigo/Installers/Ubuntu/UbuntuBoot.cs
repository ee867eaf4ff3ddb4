namespace Virtigo.Installers.Ubuntu;

/// <summary>How Ubuntu's installer is started, and what of that the installed system keeps.</summary>
internal static class UbuntuBoot
{
    /// <summary>
    /// No confirmation, answers from the volume called <c>cidata</c>, and no reading of the whole medium to check what was checked on the host.
    /// What follows the dashes the installer writes into the installed system's boot loader.
    /// </summary>
    public const string CommandLine = "autoinstall ds=nocloud fsck.mode=skip console=ttyS0 --- console=tty0 console=ttyS0,115200";

    /// <summary>The memory in which the installer's own system, which it unpacks there, has room.</summary>
    public const int MemoryMiB = 3072;
}
