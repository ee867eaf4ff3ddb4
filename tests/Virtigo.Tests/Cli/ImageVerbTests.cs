using System.Text.Json;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Tests.Images;
using Xunit;

namespace Virtigo.Tests.Cli;

public sealed class ImageVerbTests : IDisposable
{
    private readonly CommandRun _command = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _command.Dispose();

    [Fact]
    public async Task Export_takes_the_format_from_the_files_ending_and_tells_what_it_wrote()
    {
        await SealAsync("a", "web", "1");
        string folder = Path.GetDirectoryName(_command.File("out/x", ""))!;
        string file = Path.Combine(folder, "web.raw.zst");
        Assert.Equal(0, await _command.Run("images", "export", "web", file, "--sums", "--json"));
        using JsonDocument told = JsonDocument.Parse(_command.Data.ToString());
        Assert.Equal("raw.zst", told.RootElement.GetProperty("format").GetString());
        Assert.Equal(64, told.RootElement.GetProperty("sha256").GetString()!.Length);
        Assert.Equal([Path.Combine(folder, "SHA256SUMS")], told.RootElement.GetProperty("beside").EnumerateArray().Select(one => one.GetString()));
        Assert.Equal(0x28, (await File.ReadAllBytesAsync(file, Token))[0]);

        Assert.Equal(2, await _command.Run("images", "export", "web", file));
        Assert.Equal(3, await _command.Run("images", "export", "web", Path.Combine(folder, "web.vdi"), "--sign", "false"));
        Assert.False(File.Exists(Path.Combine(folder, "web.vdi")));
    }

    [Fact]
    public async Task Statements_are_data_and_nothing_else()
    {
        await SealAsync("a", "web", "1");
        foreach ((string[] verb, string member) in ((string[], string)[])[(["sbom"], "spdxVersion"), (["sbom", "--format", "cyclonedx"], "bomFormat"), (["provenance"], "predicate")])
        {
            Assert.Equal(0, await _command.Run(["images", verb[0], "web", .. verb[1..]]));
            using JsonDocument told = JsonDocument.Parse(_command.Data.ToString());
            Assert.True(told.RootElement.TryGetProperty(member, out _));
            Assert.Empty(_command.People.ToString());
        }
    }

    [Fact]
    public async Task Diff_answers_as_diff_does()
    {
        await SealAsync("a", "web", "1");
        await SealAsync("b", "other", "1");
        await SealAsync("c", "newer", "2");
        Assert.Equal(0, await _command.Run("images", "diff", "web", "other", "--only", "packages"));
        Assert.Empty(_command.Data.ToString());
        Assert.Equal(1, await _command.Run("images", "diff", "web", "newer", "--only", "packages"));
        Assert.Equal("packages:\n~ nginx:amd64  1 => 2\n", _command.Data.ToString());
        Assert.Equal(1, await _command.Run("images", "diff", "web", "newer", "--only", "packages", "--json"));
        using JsonDocument told = JsonDocument.Parse(_command.Data.ToString());
        Assert.False(told.RootElement.GetProperty("same").GetBoolean());
        Assert.Equal("packages", told.RootElement.GetProperty("differences")[0].GetProperty("aspect").GetString());

        // Their files cannot be read: that is not "the same".
        Assert.Equal(2, await _command.Run("images", "diff", "web", "other"));
        Assert.Contains("not compared", _command.People.ToString());
        Assert.Equal(0, await _command.Run("images", "diff", "web", "web"));
        Assert.Equal(2, await _command.Run("images", "diff", "web", "none"));
    }

    [Fact]
    public async Task Diff_tells_what_a_description_asks_for_that_an_image_has_not()
    {
        await SealAsync("a", "web", "1");
        const string place = "release: trixie\nmirror: http://mirror.example/debian\n";
        Assert.Equal(0, await _command.Run("images", "diff", "web", _command.File("web.yml", place + "packages: [nginx, -nano]\n"), "--only", "packages"));
        Assert.Equal(1, await _command.Run("images", "diff", "web", _command.File("more.yml", place + "packages: [nginx=2, curl]\n"), "--only", "packages"));
        Assert.Equal("packages:\n+ curl  asked for\n~ nginx  1 => 2\n", _command.Data.ToString());
        Assert.Equal(1, await _command.Run("images", "diff", "web", _command.File("less.yml", place + "packages: [-nginx]\n")));
        Assert.Contains("+ hostname  less\n", _command.Data.ToString());
        Assert.Contains("- nginx  1\n", _command.Data.ToString());
        Assert.Equal(2, await _command.Run("images", "diff", "web", _command.File("web.yml", place), "--only", "files"));
        Assert.Contains("are known once it is built", _command.People.ToString());
    }

    [Fact]
    public async Task Verify_answers_5_for_a_disk_that_was_changed()
    {
        StoredImage image = await SealAsync("a", "web", "1");
        Assert.Equal(0, await _command.Run("images", "verify", "web"));
        Assert.Contains("is what was sealed", _command.People.ToString());
        File.SetUnixFileMode(image.DiskPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using (FileStream disk = File.OpenWrite(image.DiskPath))
        {
            disk.Position = disk.Length - 1;
            disk.WriteByte(99);
        }

        Assert.Equal((int)FailureKind.Trust, await _command.Run("images", "verify", "web", "--json"));
        using JsonDocument told = JsonDocument.Parse(_command.Data.ToString());
        Assert.False(told.RootElement.GetProperty("intact").GetBoolean());
    }

    [Fact]
    public async Task Define_prints_one_file_or_writes_what_it_was_told_to()
    {
        await SealAsync("a", "web", "1");
        Assert.Equal(0, await _command.Run("images", "define", "web", "--for", "libvirt", "--disk", "/srv/web.raw"));
        Assert.StartsWith("<domain type=\"kvm\">", _command.Data.ToString());
        Assert.Contains("type=\"raw\"", _command.Data.ToString());
        string script = Path.Combine(Path.GetDirectoryName(_command.File("out/x", ""))!, "web.sh");
        Assert.Equal(0, await _command.Run("images", "define", "web", "--for", "qemu", "-o", script));
        Assert.True((File.GetUnixFileMode(script) & UnixFileMode.UserExecute) != 0);
        Assert.Equal(2, await _command.Run("images", "define", "web", "--for", "qemu", "-o", script));
        Assert.Equal(2, await _command.Run("images", "define", "web", "--for", "cloud-init"));
        Assert.Equal(2, await _command.Run("images", "define", "web"));
    }

    [Fact]
    public async Task Extract_says_why_there_is_no_kernel()
    {
        await SealAsync("a", "web", "1");
        Assert.Equal(2, await _command.Run("images", "extract", "web", "--kernel", Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString())));
        Assert.Contains("not from encrypted disks", _command.People.ToString());
    }

    private async Task<StoredImage> SealAsync(string seed, string name, string version)
    {
        await using ImageDraft draft = await new ImageStore(_command.Host.Paths).BeginAsync(TestStore.KeyOf(seed), cancellationToken: Token)
            ?? throw new InvalidOperationException("the image is there already");
        await Tool.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", draft.DiskPath, "8M"], Token);
        return await draft.SealAsync(TestStore.Manifest(draft.Key, name, TestStore.Today, await draft.MeasureDiskAsync(Token)) with
        {
            Plan = [],
            Packages = [new ImagePackage("nginx", version, "amd64")],
        }, Token);
    }
}
