using System.Text;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class InitrdComposerTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("virtigo-test-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task Later_files_come_after_the_installer_and_its_components()
    {
        InstallerBuild build = await BuildAsync(oddBytes: true);
        string output = Path.Combine(_directory.FullName, "initrd");

        await InitrdComposer.ComposeAsync(output, build, [new("preseed.cfg", (UnixFileMode)0x180, "secret"u8.ToArray())], Token);

        await using FileStream file = File.OpenRead(output);
        var reader = new CpioReader(file);
        var names = new List<string>();
        while (await reader.ReadAsync(Token) is { } entry)
        {
            names.Add(entry.Path);
        }

        Assert.Equal(["init", "virtigo", "virtigo/Packages", "preseed.cfg"], names);
    }

    [Fact]
    public async Task Only_its_owner_may_read_it()
    {
        string output = Path.Combine(_directory.FullName, "initrd");

        await InitrdComposer.ComposeAsync(output, await BuildAsync(), [], Token);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(output));
    }

    [Theory]
    [InlineData("lib/debian-installer/x")]
    [InlineData("sbin/x")]
    public async Task A_file_that_would_replace_a_link_of_the_merged_system_is_refused(string path)
    {
        InstallerBuild build = await BuildAsync();

        var error = await Assert.ThrowsAsync<ArgumentException>(() => InitrdComposer.ComposeAsync(
            Path.Combine(_directory.FullName, "initrd"), build, [new(path, (UnixFileMode)0x1ED, Array.Empty<byte>())], Token));

        Assert.Contains("usr/", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_directory.FullName, "initrd")));
    }

    private async Task<InstallerBuild> BuildAsync(bool oddBytes = false)
    {
        async Task<string> ArchiveAsync(string name, string member)
        {
            string path = Path.Combine(_directory.FullName, name);
            await using FileStream file = File.Create(path);
            var writer = new CpioWriter(file);
            await writer.WriteFileAsync(member, (UnixFileMode)0x1ED, Encoding.ASCII.GetBytes(name), Token);
            await writer.FinishAsync(Token);
            if (oddBytes)
            {
                await file.WriteAsync(new byte[4], Token);
            }

            return path;
        }

        return new InstallerBuild
        {
            Version = "1",
            KernelVersion = "6.1",
            KernelPath = "linux",
            InitrdPath = await ArchiveAsync("base", "init"),
            UdebCpioPath = await ArchiveAsync("udebs", "virtigo/Packages"),
            TemplatesPath = "templates",
            Components = [],
            Source = "images directory",
            Suite = "trixie",
            SuiteRelease = new string('0', 64),
            CacheKey = "00",
        };
    }
}
