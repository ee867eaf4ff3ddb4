using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

/// <summary>Kernel, packages and differences of images whose disks are real file systems in real partitions.</summary>
public sealed class ImageCompareTests : IDisposable
{
    private const string Grub = """
        if [ x"$feature" = xy ]; then
          linux_mode=text
        fi
        menuentry 'Debian GNU/Linux' {
            linux   /boot/vmlinuz-6.12 root=UUID=676ff72e-5b4c-4273-a35a-228e31d480a7 ro console=ttyS0,115200 quiet
            initrd  /boot/initrd.img-6.12
        }
        menuentry 'Debian GNU/Linux, rescue' {
            linux   /boot/vmlinuz-6.9 root=UUID=676ff72e-5b4c-4273-a35a-228e31d480a7 ro single
            initrd  /boot/initrd.img-6.9
        }
        """;

    private const string Status = """
        Package: nginx
        Status: install ok installed
        Architecture: amd64
        Version: 1.26.3-3
        Description: small
         Package: not one

        Package: gone
        Status: deinstall ok config-files
        Architecture: amd64
        Version: 1

        Package: waits
        Status: install ok triggers-pending
        Version: 2
        Architecture: all

        """;

    private readonly TestStore _test = new();
    private readonly DiskMaker _maker;

    public ImageCompareTests()
    {
        Directory.CreateDirectory(_test.Below("made"));
        _maker = new DiskMaker(_test.Below("made"));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _test.Dispose();

    private static ImageManifest WithPackages(ImageManifest manifest) => manifest with
    {
        Packages = [new ImagePackage("nginx", "1.26.3-3", "amd64"), new ImagePackage("waits", "2", "all")],
    };

    [Fact]
    public async Task Kernel_and_initial_file_system_are_those_that_the_boot_loader_starts()
    {
        StoredImage image = await SystemAsync("a");
        ExtractedBoot boot = await _test.Store.ExtractBootAsync(image, _test.Below("k"), _test.Below("i"), cancellationToken: Token);
        Assert.Equal(new ExtractedBoot(_test.Below("k"), _test.Below("i"), "/boot/vmlinuz-6.12", "/boot/initrd.img-6.12",
            "root=UUID=676ff72e-5b4c-4273-a35a-228e31d480a7 ro console=ttyS0,115200 quiet"), boot);
        Assert.Equal(Big("kernel 6.12"), await File.ReadAllTextAsync(_test.Below("k"), Token));
        Assert.Equal(Big("initrd 6.12"), await File.ReadAllTextAsync(_test.Below("i"), Token));

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
            () => _test.Store.ExtractBootAsync(image, _test.Below("k"), _test.Below("other"), cancellationToken: Token));
        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.False(File.Exists(_test.Below("other")));
    }

    [Theory]
    [InlineData("boot/grub/grub.cfg", "", "/boot/vmlinuz-6.12")]
    [InlineData("boot/grub/grub.cfg vmlinuz", "", "/boot/vmlinuz-6.12")]
    [InlineData("boot/vmlinuz-6.12", "", "/boot/vmlinuz-6.9")]
    [InlineData("etc/fstab", "", "/boot/vmlinuz-6.12")]
    [InlineData("", "linux /vmlinuz-6.9 ro\u001b[31m\ninitrd /initrd.img-6.9\n", "/boot/vmlinuz-6.9")]
    public async Task A_kernel_is_found_where_there_is_no_better_word_for_it(string without, string grub, string expected)
    {
        StoredImage image = await SystemAsync("a", tree =>
        {
            foreach (string name in without.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                File.Delete(Path.Combine(tree, name));
            }

            if (grub.Length > 0)
            {
                File.WriteAllText(Path.Combine(tree, "boot/grub/grub.cfg"), grub);
            }
        });
        ExtractedBoot boot = await _test.Store.ExtractBootAsync(image, _test.Below("k"), _test.Below("i"), cancellationToken: Token);
        Assert.Equal(expected, boot.KernelSource);
        Assert.Equal(without == "etc/fstab", boot.CommandLine is not null);
        Assert.StartsWith("kernel 6", await File.ReadAllTextAsync(boot.KernelPath, Token));
    }

    [Fact]
    public async Task An_image_without_a_kernel_is_told_and_nothing_is_written()
    {
        StoredImage image = await SystemAsync("a", tree => Directory.Delete(Path.Combine(tree, "boot"), recursive: true));
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
            () => _test.Store.ExtractBootAsync(image, _test.Below("k"), _test.Below("i"), cancellationToken: Token));
        Assert.Equal((FailureKind.Usage, "The image a has no kernel in /boot."), (error.Kind, error.Message));
        Assert.False(File.Exists(_test.Below("k")));
    }

    [Theory]
    [InlineData("6.9", "6.12", -1)]
    [InlineData("6.12.1", "6.12", 1)]
    [InlineData("6.012", "6.12", 0)]
    [InlineData("a", "b", -1)]
    public void Numbers_in_names_count_as_numbers(string a, string b, int order) => Assert.Equal(order, Math.Sign(BootFinder.CompareNumbers(a, b)));

    [Fact]
    public async Task An_image_that_is_what_was_sealed_verifies()
    {
        StoredImage image = await SystemAsync("a");
        ImageCheck check = await _test.Store.CheckAsync(image, cancellationToken: Token);
        Assert.True(check.IsIntact);
        Assert.Empty(check.Packages!);
        Assert.Null(check.NotRead);
    }

    [Fact]
    public async Task Packages_that_the_manifest_does_not_know_are_told()
    {
        StoredImage image = await SystemAsync("a", edit: manifest => manifest with
        {
            Packages = [new ImagePackage("nginx", "1.0", "amd64"), new ImagePackage("lost", "3", "all")],
        });
        ImageCheck check = await _test.Store.CheckAsync(image, cancellationToken: Token);
        Assert.True(check.Disk.IsIntact);
        Assert.False(check.IsIntact);
        Assert.Equal(
            [
                new ImageDifference(ImageAspect.Packages, "lost:all", "3", null), new ImageDifference(ImageAspect.Packages, "nginx:amd64", "1.0", "1.26.3-3"),
                new ImageDifference(ImageAspect.Packages, "waits:all", null, "2"),
            ],
            check.Packages);
    }

    [Fact]
    public async Task A_disk_whose_files_cannot_be_read_is_verified_by_its_hash()
    {
        StoredImage image = await _test.SealRealAsync("a");
        ImageCheck check = await _test.Store.CheckAsync(image, cancellationToken: Token);
        Assert.True(check.IsIntact);
        Assert.Null(check.Packages);
        Assert.Contains("root file system", check.NotRead, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_installs_that_differ_only_in_identity_are_the_same()
    {
        StoredImage one = await SystemAsync("a");
        StoredImage two = await SystemAsync("b", tree =>
        {
            void Write(string name, string content)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(tree, name))!);
                File.WriteAllText(Path.Combine(tree, name), content);
            }

            foreach (string name in (string[])["etc/machine-id", "var/log/dpkg.log", "var/cache/ldconfig/aux-cache", "etc/ssh/ssh_host_rsa_key", "usr/lib/python3/__pycache__/a.pyc",
                "var/lib/apt/lists/x", "tmp/x", "etc/passwd-"])
            {
                Write(name, "another");
            }

            string id = Guid.NewGuid().ToString();
            Write("boot/grub/grub.cfg", Grub.Replace("676ff72e-5b4c-4273-a35a-228e31d480a7", id, StringComparison.Ordinal));
            Write("etc/fstab", $"UUID={id} / ext4 defaults 0 1\n");
            Write("boot/initrd.img-6.12", "packed at another time");
            File.SetLastWriteTimeUtc(Path.Combine(tree, "etc/hostname"), new DateTime(2031, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        },
            manifest => WithPackages(manifest) with { Name = "b", Plan = [new ImagePlanValue("hostname", "a", "elsewhere")] });
        ImageComparison same = await _test.Store.CompareAsync(one, two, [], Token);
        Assert.Empty(same.Differences);
        Assert.True(same.IsSame);
        Assert.Empty(same.NotCompared);
    }

    [Fact]
    public async Task Every_kind_of_difference_is_found_and_named()
    {
        StoredImage one = await SystemAsync("a");
        StoredImage two = await SystemAsync("b", tree =>
        {
            string At(string name) => Path.Combine(tree, name);
            File.WriteAllText(At("boot/grub/grub.cfg"), Grub.Replace("console=ttyS0,115200 quiet", "console=ttyS0,115200 console=tty0 debug", StringComparison.Ordinal));
            File.Delete(At("etc/systemd/system/multi-user.target.wants/ssh.service"));
            File.CreateSymbolicLink(At("etc/systemd/system/nginx.service"), "/dev/null");
            File.AppendAllText(At("etc/passwd"), "eve:x:1001:1001::/home/eve:/bin/bash\n");
            File.WriteAllText(At("etc/shadow"), "root:$y$secret:1:::::\nalice:!:1:::::\neve:$y$j9T$hash:1:::::\n");
            File.WriteAllText(At("etc/group"), "root:x:0:\nsudo:x:27:eve\n");
            File.WriteAllText(At("etc/hostname"), "b\n");
            File.WriteAllText(At("etc/same-size"), "two");
            File.SetUnixFileMode(At("usr/bin/tool"), (UnixFileMode)0x9ED);
            File.Delete(At("etc/link"));
            File.CreateSymbolicLink(At("etc/link"), "elsewhere");
            File.WriteAllText(At("etc/new\u001b[31m\nfile"), "");
        },
            manifest => WithPackages(manifest) with { Packages = [new ImagePackage("nginx", "1.27", "amd64"), new ImagePackage("curl", "8", "amd64")] });
        ImageComparison told = await _test.Store.CompareAsync(one, two, [], Token);
        string[] lines = [.. told.Differences.Select(found => $"{found.Aspect} {found.Name} | {found.Before} | {found.After}")];
        Assert.Equal(
            [
                "Plan hostname | a | b",
                "Packages curl:amd64 |  | 8",
                "Packages nginx:amd64 | 1.26.3-3 | 1.27",
                "Packages waits:all | 2 | ",
                "Kernel console | console=ttyS0,115200 | console=ttyS0,115200 console=tty0",
                "Kernel debug |  | debug",
                "Kernel quiet | quiet | ",
                "Units multi-user.target.wants/ssh.service | /usr/lib/systemd/system/ssh.service | ",
                "Units nginx.service |  | /dev/null",
                "Users group sudo | 27 alice | 27 eve",
                "Users user alice | 1000:1000 /home/alice /bin/bash password set | 1000:1000 /home/alice /bin/bash password locked",
                "Users user eve |  | 1001:1001 /home/eve /bin/bash password set",
            ],
            lines.Where(line => !line.StartsWith("Files", StringComparison.Ordinal)));
        string[] files = [.. told.Differences.Where(found => found.Aspect == ImageAspect.Files).Select(found => found.Name)];
        Assert.Equal(
            [
                "/boot/grub/grub.cfg", "/etc/group", "/etc/hostname", "/etc/link", "/etc/new\u001b[31m\nfile", "/etc/passwd", "/etc/same-size",
                "/etc/systemd/system/multi-user.target.wants/ssh.service", "/etc/systemd/system/nginx.service", "/usr/bin/tool",
            ],
            files);
        ImageDifference tool = told.Differences[^1];
        Assert.Equal(("file 0755", "file 4755"), (tool.Before![..9], tool.After![..9]));
        Assert.DoesNotContain(lines, line => line.Contains("$y$", StringComparison.Ordinal));

        ImageComparison onlyPackages = await _test.Store.CompareAsync(one, two, [ImageAspect.Packages], Token);
        Assert.Equal(3, onlyPackages.Differences.Count);
    }

    [Fact]
    public async Task Images_whose_files_cannot_be_read_are_compared_by_their_manifests_and_that_is_told()
    {
        StoredImage one = await SystemAsync("a");
        StoredImage two = await _test.SealRealAsync("b");
        ImageComparison told = await _test.Store.CompareAsync(one, two, [], Token);
        Assert.All(told.Differences, found => Assert.True(found.Aspect is ImageAspect.Plan or ImageAspect.Packages));
        Assert.Contains("not compared", Assert.Single(told.NotCompared), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_exclusion_is_in_the_documentation()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "images.md"));
        Assert.All(Exclusions.Folders.Concat(Exclusions.Files), path => Assert.Contains($"`{path}`", page, StringComparison.Ordinal));
    }

    private static string Big(string text) => text + new string('.', 200_000);

    private async Task<StoredImage> SystemAsync(string seed, Action<string>? change = null, Func<ImageManifest, ImageManifest>? edit = null)
    {
        string tree = _test.Below("tree-" + seed);
        void Write(string name, string content)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(tree, name))!);
            File.WriteAllText(Path.Combine(tree, name), content);
        }

        foreach (string version in (string[])["6.9", "6.12"])
        {
            Write($"boot/vmlinuz-{version}", Big($"kernel {version}"));
            Write($"boot/initrd.img-{version}", Big($"initrd {version}"));
        }

        File.CreateSymbolicLink(Path.Combine(tree, "vmlinuz"), "boot/vmlinuz-6.12");
        File.CreateSymbolicLink(Path.Combine(tree, "initrd.img"), "boot/initrd.img-6.12");
        Write("boot/grub/grub.cfg", Grub);
        Write("etc/fstab", "UUID=676ff72e-5b4c-4273-a35a-228e31d480a7 / ext4 defaults 0 1\n");
        Write("etc/hostname", "a\n");
        Write("etc/machine-id", "");
        Write("etc/same-size", "one");
        Write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n");
        Write("etc/shadow", "root:$y$secret:1:::::\nalice:$y$other:1:::::\n");
        Write("etc/group", "root:x:0:\nsudo:x:27:alice\n");
        Write("usr/bin/tool", "#!/bin/sh\n");
        File.SetUnixFileMode(Path.Combine(tree, "usr/bin/tool"), (UnixFileMode)0x1ED);
        Write("var/lib/dpkg/status", Status);
        File.CreateSymbolicLink(Path.Combine(tree, "etc/link"), "hostname");
        foreach (string folder in (string[])["etc/systemd/system/multi-user.target.wants", "var/log", "var/cache", "etc/ssh", "usr/lib/python3", "var/lib/apt", "tmp"])
        {
            Directory.CreateDirectory(Path.Combine(tree, folder));
        }

        File.CreateSymbolicLink(Path.Combine(tree, "etc/systemd/system/multi-user.target.wants/ssh.service"), "/usr/lib/systemd/system/ssh.service");
        change?.Invoke(tree);
        string disk = await _maker.SealAsync(DiskMaker.DivideGpt(new byte[DiskMaker.MiB], await _maker.FileSystemAsync(tree, 16)));
        return await _test.SealDiskAsync(seed, disk, edit ?? WithPackages);
    }
}
