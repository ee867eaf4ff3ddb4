using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests.BootLoaders;

/// <summary>Boot loaders that were put into images from outside start real machines.</summary>
public sealed class BootLoaderTests(Lab lab) : IDisposable
{
    private const int Wiped = 1 << 19;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-bootloader");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>An image that an installer made, with its boot loader wiped off, boots to its agent by its own, put back, and by one made here.</summary>
    [Theory]
    [InlineData("repair")]
    [InlineData("install", Traits = [Tiers.Name, Tiers.Thorough])]
    public async Task An_installed_image_whose_boot_loader_was_wiped_boots_again(string verb)
    {
        StoredImage image = await lab.Golden;
        string disk = Path.Combine(_folder.FullName, "web.qcow2");
        File.Copy(image.DiskPath, disk);
        File.SetUnixFileMode(disk, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using (DiskEdit edit = await DiskEdit.OpenAsync(disk, "qcow2", Cancel))
        {
            byte[] first = new byte[512];
            using (var content = DiskContent.Open(disk))
            {
                content.Read(0, first);
            }

            Array.Clear(first, 0, BiosLoader.CodeBytes);
            await edit.WriteAsync([new DiskChange(0, first), new DiskChange(512, new byte[Wiped])], Cancel);
        }

        CommandResult broken = await lab.RunAsync("bootloader", "verify", disk);
        Assert.Equal(9, broken.ExitCode);
        Assert.Contains("breaks at the boot sector", broken.People, StringComparison.Ordinal);
        CommandResult mended = await lab.RunAsync("bootloader", verb, disk);
        Assert.True(mended.ExitCode == 0, mended.People);
        Assert.Contains(verb == "repair" ? "the image's own" : "which is kept", mended.People, StringComparison.Ordinal);
        await using BootedCopy machine = await lab.BootAsync(disk);
        Assert.Equal("web", await machine.ShellAsync("hostname", Cancel));
        Assert.Contains("console=ttyS0", await machine.ShellAsync("cat /proc/cmdline", Cancel), StringComparison.Ordinal);
    }
}
