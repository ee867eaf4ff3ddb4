using System.Diagnostics;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class DebWriterTests : IDisposable
{
    private const string Control = "Package: made-udeb\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@mirror.example>\nDescription: made";
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("virtigo-test-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DebFile[] Files =>
    [
        new("usr/lib/libx.so.1", (UnixFileMode)0x1A4, Array.Empty<byte>(), "libx.so.1.2"),
        new("usr/lib/libx.so.1.2", (UnixFileMode)0x1A4, new byte[70_000]),
        new("usr/bin/x", (UnixFileMode)0x1ED, "#!/bin/sh\n"u8.ToArray()),
        new("etc/empty", (UnixFileMode)0x180, Array.Empty<byte>()),
    ];

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task Dpkg_reads_its_control_file_and_its_files()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/dpkg-deb"), "needs dpkg-deb");
        string path = await WriteAsync(Files);

        Assert.Contains("Package: made-udeb", await DpkgDebAsync("-I", path), StringComparison.Ordinal);
        string[] lines = [.. (await DpkgDebAsync("-c", path)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Squeeze)];
        Assert.Equal(
        [
            "drwxr-xr-x root/root 0 2001-09-09 01:46 ./",
            "drwxr-xr-x root/root 0 2001-09-09 01:46 ./etc/",
            "-rw------- root/root 0 2001-09-09 01:46 ./etc/empty",
            "drwxr-xr-x root/root 0 2001-09-09 01:46 ./usr/",
            "drwxr-xr-x root/root 0 2001-09-09 01:46 ./usr/bin/",
            "-rwxr-xr-x root/root 10 2001-09-09 01:46 ./usr/bin/x",
            "drwxr-xr-x root/root 0 2001-09-09 01:46 ./usr/lib/",
            "lrwxrwxrwx root/root 0 2001-09-09 01:46 ./usr/lib/libx.so.1 -> libx.so.1.2",
            "-rw-r--r-- root/root 70000 2001-09-09 01:46 ./usr/lib/libx.so.1.2",
        ], lines);
    }

    [Fact]
    public async Task The_order_of_the_files_does_not_show_in_the_bytes()
    {
        byte[] one = await File.ReadAllBytesAsync(await WriteAsync(Files), Token);
        byte[] other = await File.ReadAllBytesAsync(await WriteAsync(Files.Reverse()), Token);

        Assert.Equal(one, other);
    }

    [Theory]
    [InlineData("/etc/x")]
    [InlineData("../x")]
    [InlineData("a/./b")]
    public async Task Paths_outside_the_package_are_refused(string path) =>
        await Assert.ThrowsAsync<ArgumentException>(() => WriteAsync([new DebFile(path, (UnixFileMode)0x1A4, Array.Empty<byte>())]));

    private static string Squeeze(string line) => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static async Task<string> DpkgDebAsync(string option, string path)
    {
        var start = new ProcessStartInfo("dpkg-deb", [option, path]) { RedirectStandardOutput = true };
        start.Environment["TZ"] = "UTC";
        start.Environment["LC_ALL"] = "C.UTF-8";
        using Process process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        Assert.Equal(0, process.ExitCode);
        return output;
    }

    private async Task<string> WriteAsync(IEnumerable<DebFile> files)
    {
        string path = Path.Combine(_directory.FullName, $"{Guid.NewGuid():N}.udeb");
        await using FileStream file = File.Create(path);
        await DebWriter.WriteAsync(file, Control, files, DateTimeOffset.FromUnixTimeSeconds(1_000_000_000), Token);
        return path;
    }
}
