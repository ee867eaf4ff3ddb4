using System.Text;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class InstallerContentsTests
{
    private const UnixFileMode Mode = (UnixFileMode)0x1A4;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Build_kernel_components_and_modules_are_read_from_the_initial_file_system(bool merged)
    {
        using var initrd = new MemoryStream(await InstallerArchive.InitrdAsync(merged));

        (InstallerContents contents, IReadOnlyDictionary<string, string> templates) = await InstallerContents.ReadAsync(initrd, Token);

        Assert.Equal("20250803+deb13u7", contents.Version);
        Assert.Equal(InstallerArchive.Kernel, contents.KernelVersion);
        Assert.Equal(["cdebconf-udeb", "debconf-2.0", "main-menu"], contents.Components);
        Assert.Equal(["crc16"], contents.Modules);
        Assert.Equal(merged, contents.Merged);
        Assert.Equal(["main-menu"], templates.Keys);
    }

    [Theory]
    [InlineData("no var/lib/dpkg/status", "usr/lib/modules/6.1/kernel/a.ko")]
    [InlineData("those of none", "var/lib/dpkg/status")]
    [InlineData("those of 6.1, 6.2", "var/lib/dpkg/status", "usr/lib/modules/6.1/kernel/a.ko", "usr/lib/modules/6.2/kernel/a.ko")]
    public async Task What_an_installer_would_have_is_named_when_it_is_not_there(string expected, params string[] files)
    {
        var initrd = new MemoryStream();
        var writer = new CpioWriter(initrd);
        foreach (string file in files)
        {
            await writer.WriteFileAsync(file, Mode, Encoding.ASCII.GetBytes("Package: a\n"), Token);
        }

        await writer.FinishAsync(Token);
        initrd.Position = 0;

        var error = await Assert.ThrowsAsync<InvalidDataException>(() => InstallerContents.ReadAsync(initrd, Token));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }
}
