using System.Security.Cryptography;
using System.Text;
using Virtigo.Archives;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class InstallerAssemblerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_images_directory_is_used_where_the_mirror_has_it()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        await archive.AddImagesAsync();

        InstallerBuild build = await archive.AssembleAsync();

        Assert.Equal("images directory", build.Source);
        Assert.Equal("the kernel of the images directory", await File.ReadAllTextAsync(build.KernelPath, Token));
        Assert.DoesNotContain(archive.Server.Requests, request => request.Path.Contains("netboot-amd64", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_newest_installer_package_is_used_where_the_images_are_missing()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        await archive.AddImagesAsync();
        archive.Server.Misbehave(Misbehaviour.Missing, "/netboot/");

        InstallerBuild build = await archive.AssembleAsync();

        Assert.Equal($"package {InstallerArchive.InstallerPackage} 20250803+deb13u7", build.Source);
        Assert.Equal("20250803+deb13u7", build.Version);
        Assert.Equal(InstallerArchive.Kernel, build.KernelVersion);
        Assert.Equal("the kernel", await File.ReadAllTextAsync(build.KernelPath, Token));
        Assert.Equal(await InstallerArchive.InitrdAsync(), await File.ReadAllBytesAsync(build.InitrdPath, Token));
    }

    [Theory]
    [InlineData(Misbehaviour.Corrupt, "/current/images/")]
    [InlineData(Misbehaviour.Corrupt, "/netboot/")]
    [InlineData(Misbehaviour.Forbidden, "/current/images/")]
    public async Task Images_of_another_day_than_the_signed_list_give_way_to_the_package(Misbehaviour trouble, string where)
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        await archive.AddImagesAsync();
        archive.Server.Misbehave(trouble, where);

        InstallerBuild build = await archive.AssembleAsync();

        Assert.Equal($"package {InstallerArchive.InstallerPackage} 20250803+deb13u7", build.Source);
        Assert.Equal("the kernel", await File.ReadAllTextAsync(build.KernelPath, Token));
    }

    [Fact]
    public async Task An_installer_of_another_day_than_its_release_gives_way_to_that_of_the_same_release_under_its_other_name()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Archive.Publish(new TestRelease { Folder = "stable", Date = TimeProvider.System.GetUtcNow().AddDays(-70) });
        archive.Archive.Publish(new TestRelease());
        archive.Server.Misbehave(Misbehaviour.Corrupt, "/dists/trixie/main/debian-installer/");

        InstallerBuild build = await archive.AssembleAsync();

        Assert.Equal($"package {InstallerArchive.InstallerPackage} 20250803+deb13u7, of stable 13.0", build.Source);
        Assert.Contains(build.Components, component => component.Name == "base-installer");
        Assert.Equal(build.CacheKey, (await archive.AssembleAsync(offline: true)).CacheKey);
    }

    [Theory]
    [InlineData("bookworm", "/dists/trixie/main/debian-installer/")]
    [InlineData("trixie", "/main/debian-installer/")]
    public async Task Without_another_whole_copy_of_the_release_the_mirrors_fault_is_told(string codename, string corrupt)
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Archive.Publish(new TestRelease { Folder = "stable", Codename = codename, Date = TimeProvider.System.GetUtcNow().AddDays(-70) });
        archive.Archive.Publish(new TestRelease());
        archive.Server.Misbehave(Misbehaviour.Corrupt, corrupt);

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => archive.AssembleAsync());

        Assert.Equal(FailureKind.Trust, error.Kind);
        Assert.Contains("/dists/trixie/main/debian-installer/", error.Message, StringComparison.Ordinal);
        Assert.Equal(codename == "trixie", error.Message.Contains(" Nor can that of 13.0 (stable) be used: ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_inside_and_what_is_left_out_is_not_carried()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();

        InstallerBuild build = await archive.AssembleAsync();

        Assert.Equal(["debootstrap-udeb", "base-installer", "e2fsprogs-udeb", InstallerArchive.ModulesUdeb],
            build.Components.Select(component => component.Name));
        Assert.All(build.Components, component => Assert.Empty(component.RebuiltFrom));
    }

    [Fact]
    public async Task The_carried_list_describes_the_carried_files()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Server.Misbehave(Misbehaviour.Missing, "e2fsprogs-udeb");

        InstallerBuild build = await archive.AssembleAsync();

        Dictionary<string, (CpioEntry Entry, byte[] Content)> files = await CarriedAsync(build);
        ControlParagraph[] list = [.. ControlFile.Parse(Encoding.UTF8.GetString(files["virtigo/Packages"].Content))];
        Assert.Equal(build.Components.Select(component => component.Name), list.Select(stanza => stanza["Package"]));
        Assert.All(list, stanza =>
        {
            byte[] content = files["virtigo/" + stanza["Filename"]].Content;
            Assert.Equal(stanza["Size"], content.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
            Assert.Equal(stanza["SHA256"], Convert.ToHexStringLower(SHA256.HashData(content)));
        });
        Assert.Equal(["optional", "standard", "standard", "standard"], list.Select(stanza => stanza["Priority"]));
        Assert.Equal((UnixFileMode)0x1ED, files[Retriever.Path].Entry.Mode);
        Assert.Equal(Retriever.Script, Encoding.UTF8.GetString(files[Retriever.Path].Content));
    }

    [Fact]
    public async Task A_second_assembly_makes_no_request_and_works_offline()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Server.Misbehave(Misbehaviour.Missing, "-di_");
        InstallerBuild first = await archive.AssembleAsync();
        int requests = archive.Server.Requests.Count;
        Directory.Delete(Path.Combine(archive.Paths.Pool, "sha256", (await HashOfInstallerAsync(archive))[..2]), recursive: true);

        InstallerBuild second = await archive.AssembleAsync();
        InstallerBuild offline = await archive.AssembleAsync(offline: true);

        Assert.Equal(["dists/trixie/InRelease"], archive.Server.Requests.Skip(requests).Select(request => request.Path));
        Assert.All([second, offline], build =>
        {
            Assert.Equal(first.CacheKey, build.CacheKey);
            Assert.Equal(first.UdebCpioPath, build.UdebCpioPath);
            Assert.Equal(first.Components.Select(one => one.Sha256), build.Components.Select(one => one.Sha256));
            Assert.Equal(first.Components[^1].RebuiltFrom, build.Components[^1].RebuiltFrom);
        });
    }

    [Fact]
    public async Task What_was_rebuilt_is_rebuilt_offline_from_the_files_alone_as_a_bundle_brings_them()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Server.Misbehave(Misbehaviour.Missing, "e2fsprogs-udeb");
        InstallerBuild first = await archive.AssembleAsync();
        Directory.Delete(Path.Combine(archive.Paths.Pool, "missing"), recursive: true);
        Directory.Delete(archive.Paths.Installers, recursive: true);
        int requests = archive.Server.Requests.Count;

        InstallerBuild offline = await archive.AssembleAsync(offline: true);

        Assert.Equal(requests, archive.Server.Requests.Count);
        Assert.Equal(first.Components.Select(one => one.Sha256), offline.Components.Select(one => one.Sha256));
    }

    [Fact]
    public async Task Kernel_modules_that_the_mirror_lacks_come_from_the_kernel_package()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Server.Misbehave(Misbehaviour.Missing, "-di_");

        InstallerBuild build = await archive.AssembleAsync();

        InstallerComponent component = build.Components.Single(one => one.Name == InstallerArchive.ModulesUdeb);
        Assert.Equal($"linux-image-{InstallerArchive.Kernel}", Assert.Single(component.RebuiltFrom).Name);
        string folder = $"usr/lib/modules/{InstallerArchive.Kernel}/kernel/";
        Assert.Equal([folder + "fs/ext4/ext4.ko", folder + "fs/jbd2/jbd2.ko", folder + "fs/mbcache.ko", folder + "lib/crc-thing.ko"],
            (await FilesOfAsync(archive, build, component.Name)).Keys);
    }

    [Fact]
    public async Task Programs_that_the_mirror_lacks_come_from_the_packages_of_the_same_version()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Server.Misbehave(Misbehaviour.Missing, "e2fsprogs-udeb");

        InstallerBuild build = await archive.AssembleAsync();

        Assert.Equal(["e2fsprogs", "libext2fs2t64", "libss2", "libcom-err2"],
            build.Components.Single(one => one.Name == "e2fsprogs-udeb").RebuiltFrom.Select(source => source.Name));
        SortedDictionary<string, string> files = await FilesOfAsync(archive, build, "e2fsprogs-udeb");
        Assert.Equal(
        [
            "etc/mke2fs.conf", "usr/lib/x86_64-linux-gnu/libcom_err.so.2", "usr/lib/x86_64-linux-gnu/libext2fs.so.2",
            "usr/lib/x86_64-linux-gnu/libss.so.2", "usr/sbin/mke2fs", "usr/sbin/tune2fs",
        ], files.Keys);
        Assert.Equal("mke2fs", files["usr/sbin/mke2fs"]);
    }

    [Fact]
    public async Task An_older_installer_keeps_its_own_layout()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync(
            initrd: InstallerArchive.Gzip(await InstallerArchive.InitrdAsync(merged: false)));
        archive.Server.Misbehave(Misbehaviour.Missing, "-di_");

        InstallerBuild build = await archive.AssembleAsync();

        Assert.All((await FilesOfAsync(archive, build, InstallerArchive.ModulesUdeb)).Keys,
            path => Assert.StartsWith($"lib/modules/{InstallerArchive.Kernel}/", path, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_vanished_from_the_cache_is_made_again()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        InstallerBuild build = await archive.AssembleAsync();
        File.Delete(build.KernelPath);
        File.Delete(build.UdebCpioPath);

        InstallerBuild again = await archive.AssembleAsync();

        Assert.True(File.Exists(again.KernelPath));
        Assert.True(File.Exists(again.UdebCpioPath));
    }

    [Fact]
    public async Task What_is_rebuilt_has_the_same_bytes_everywhere()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Server.Misbehave(Misbehaviour.Missing, ".udeb");
        archive.Server.Misbehave(Misbehaviour.Missing, "-di_");
        IReadOnlyList<string> wanted = ["e2fsprogs-udeb", "ext4-modules"];

        InstallerBuild here = await archive.AssembleAsync(wanted);
        InstallerBuild there = await archive.AssembleAsync(wanted, home: "elsewhere");

        Assert.NotEqual(here.UdebCpioPath, there.UdebCpioPath);
        Assert.Equal(await File.ReadAllBytesAsync(here.UdebCpioPath, Token), await File.ReadAllBytesAsync(there.UdebCpioPath, Token));
    }

    [Theory]
    [InlineData("mystery-udeb", "mystery-udeb 1.0-1 cannot be rebuilt", "does not know which packages")]
    [InlineData("eject-udeb", "eject-udeb 2.0-1 cannot be rebuilt", "the archive has eject 1.9-1, which is another version")]
    public async Task A_missing_component_that_cannot_be_rebuilt_is_named_with_the_reason(string wanted, string what, string why)
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Server.Misbehave(Misbehaviour.Missing, wanted + "_");

        var error = await Assert.ThrowsAsync<VirtigoException>(() => archive.AssembleAsync([wanted]));

        Assert.Equal(FailureKind.Archive, error.Kind);
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.GetDirectories(archive.Paths.Installers), path => path.Contains("components", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_installer_whose_kernel_has_no_modules_in_the_archive_is_explained_before_anything_else_is_fetched()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync(modulesKernel: "6.1.9+deb13-amd64");

        var error = await Assert.ThrowsAsync<VirtigoException>(() => archive.AssembleAsync());

        Assert.Equal(FailureKind.Archive, error.Kind);
        Assert.Contains($"runs kernel {InstallerArchive.Kernel}", error.Message, StringComparison.Ordinal);
        Assert.Contains("only for 6.1.9+deb13-amd64", error.Message, StringComparison.Ordinal);
        Assert.Contains("snapshot", error.Hint, StringComparison.Ordinal);
        Assert.DoesNotContain(archive.Server.Requests, request => request.Path.EndsWith(".udeb", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_initial_file_system_that_is_none_is_refused_and_not_kept()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync(
            initrd: InstallerArchive.Gzip("this is not a cpio archive, only some words that are long enough for a header to be read from them, and more"u8.ToArray()));

        var error = await Assert.ThrowsAsync<VirtigoException>(() => archive.AssembleAsync());

        Assert.Equal(FailureKind.Archive, error.Kind);
        Assert.Contains("not what Debian's installer has", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(archive.Paths.Installers));
    }

    [Fact]
    public async Task An_archive_without_an_installer_is_said_so()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        using var client = new ArchiveClient(new Pool(archive.Paths.Pool), new ArchiveOptions { Clock = new HurriedClock() });
        await using TestArchive empty = TestArchive.Start();

        var error = await Assert.ThrowsAsync<VirtigoException>(
            () => new InstallerAssembler(client, archive.Paths).AssembleAsync(empty.Source, "amd64", InstallerArchive.Wanted, Token));

        Assert.Contains("has no installer of trixie for amd64", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_assemblies_at_once_do_the_work_once()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();

        InstallerBuild[] builds = await Task.WhenAll(archive.AssembleAsync(), archive.AssembleAsync());

        Assert.Equal(builds[0].UdebCpioPath, builds[1].UdebCpioPath);
        Assert.Single(archive.Server.Requests, request => request.Path.Contains(InstallerArchive.InstallerPackage, StringComparison.Ordinal));
        Assert.Equal(2, Directory.GetDirectories(archive.Paths.Installers).Length);
    }

    [Fact]
    public async Task A_half_written_build_of_a_killed_process_is_replaced()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        InstallerBuild build = await archive.AssembleAsync();
        string directory = Path.GetDirectoryName(build.UdebCpioPath)!;
        Directory.Move(directory, directory + ".partial");
        File.Delete(Path.Combine(directory + ".partial", "components.json"));

        await archive.AssembleAsync();

        Assert.True(File.Exists(Path.Combine(directory, "components.json")));
        Assert.False(Directory.Exists(directory + ".partial"));
    }

    [Fact]
    public async Task The_templates_of_the_installer_and_of_its_components_are_at_hand()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();

        IReadOnlyDictionary<string, string> templates = await InstallerTemplates.ReadAsync(await archive.AssembleAsync(), Token);

        Assert.Equal(["base-installer", "main-menu"], templates.Keys);
        Assert.Contains("base-installer/kernel/image", templates["base-installer"], StringComparison.Ordinal);
    }

    private static async Task<string> HashOfInstallerAsync(InstallerArchive archive)
    {
        using var client = new ArchiveClient(new Pool(archive.Paths.Pool), new ArchiveOptions { Offline = true });
        ArchiveSuite suite = await client.OpenAsync(archive.Archive.Source, Token);
        return (await suite.PackagesAsync("main", "amd64", installer: false, Token)).Find(InstallerArchive.InstallerPackage)!.Sha256;
    }

    private static async Task<Dictionary<string, (CpioEntry Entry, byte[] Content)>> CarriedAsync(InstallerBuild build)
    {
        await using FileStream file = File.OpenRead(build.UdebCpioPath);
        var reader = new CpioReader(file);
        var all = new Dictionary<string, (CpioEntry, byte[])>();
        while (await reader.ReadAsync(Token) is { } entry)
        {
            all[entry.Path] = (entry, await reader.ReadContentAsync(1_000_000, Token));
        }

        return all;
    }

    private static async Task<SortedDictionary<string, string>> FilesOfAsync(InstallerArchive archive, InstallerBuild build, string component)
    {
        Dictionary<string, (CpioEntry Entry, byte[] Content)> carried = await CarriedAsync(build);
        string path = Path.Combine(archive.Paths.Cache, component);
        await File.WriteAllBytesAsync(path, carried.Single(one => one.Key.StartsWith($"virtigo/{component}_", StringComparison.Ordinal)).Value.Content, Token);
        using DebPackage package = DebPackage.Open(path);
        Assert.Equal(component, package.Control["Package"]);
        Assert.Null(package.Control["Filename"]);
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (DebEntry entry in package.Files().Where(entry => entry.Type == DebEntryType.File))
        {
            files[entry.Path] = await new StreamReader(entry.Content!).ReadToEndAsync(Token);
        }

        return files;
    }
}
