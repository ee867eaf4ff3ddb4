using System.Diagnostics;
using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>What is locked is built again from the same, also where there is no network and nothing but a bundle.</summary>
public sealed class LockTests(Lab lab) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-lock");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Spec => Path.Combine(_folder.FullName, "web.yml");

    private string Home => Path.Combine(_folder.FullName, "elsewhere");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_bundle_has_all_that_a_machine_without_a_network_needs_to_install()
    {
        StoredImage image = await MakeBundleAsync();
        ApplianceLock locked = await ApplianceLock.LoadAsync(ApplianceLock.PathFor(Spec), Cancel);
        Assert.Equal(image.Manifest.Packages, locked.Packages);

        using Process build = Elsewhere("build", Path.Combine(Home, "web.yml"), "--offline");
        try
        {
            // All that the host does is behind it; what the guest asks for is in the lock, whose files were counted before it began.
            string said = "";
            while (await build.StandardError.ReadLineAsync(Cancel) is { } line && !line.Contains("install: components", StringComparison.Ordinal))
            {
                said += line + "\n";
            }

            Assert.False(build.HasExited, said);
        }
        finally
        {
            build.Kill(entireProcessTree: true);
            await build.WaitForExitAsync(CancellationToken.None);
        }

        string package = locked.Files.First(file => file.Name.StartsWith("nginx_", StringComparison.Ordinal)).Sha256;
        File.Delete(Directory.EnumerateFiles(Home, package, SearchOption.AllDirectories).Single());
        using Process lacking = Elsewhere("build", Path.Combine(Home, "web.yml"), "--offline");
        string error = await lacking.StandardError.ReadToEndAsync(Cancel);
        await lacking.WaitForExitAsync(Cancel);
        Assert.Equal(4, lacking.ExitCode);
        Assert.Contains($"1 of the {locked.Files.Count} files", error, StringComparison.Ordinal);
        Assert.Contains("nginx_", error, StringComparison.Ordinal);
    }

    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task What_is_built_from_a_bundle_has_the_same_packages_byte_for_byte_and_differs_only_in_what_is_documented()
    {
        StoredImage image = await MakeBundleAsync();
        using IDisposable place = await lab.PlaceAsync();
        using Process build = Elsewhere("build", Path.Combine(Home, "web.yml"), "--offline");
        string said = await build.StandardError.ReadToEndAsync(Cancel);
        await build.WaitForExitAsync(Cancel);
        Assert.True(build.ExitCode == 0, said);

        StoredImage again = new ImageStore(PathsElsewhere()).Find("web");
        Assert.Equal(image.Manifest.Packages, again.Manifest.Packages);
        Assert.Equal(Debs(image), Debs(again));
        SystemViews.AssertSame(await SystemViews.LookAsync(lab, image.DiskPath), await SystemViews.LookAsync(lab, again.DiskPath));

        // What is left out of the comparison is the list in docs/images.md.
        ImageComparison disks = ImageStore.CompareDisks(image.DiskPath, again.DiskPath, _ => true, Cancel);
        Assert.Empty(disks.NotCompared);
        Assert.Empty(disks.Differences);
    }

    private static string[] Debs(StoredImage image) =>
        [.. image.Manifest.Materials.Where(file => file.Url.EndsWith(".deb", StringComparison.Ordinal)).Select(file => file.Sha256).Order(StringComparer.Ordinal)];

    /// <summary>Locks the golden image's spec, bundles it, and takes the bundle in as somebody with nothing.</summary>
    private async Task<StoredImage> MakeBundleAsync()
    {
        StoredImage image = await lab.Golden;
        File.Copy(lab.Example, Spec);
        CommandResult locked = await lab.RunAsync("lock", Spec);
        Assert.True(locked.ExitCode == 0, locked.People);
        Assert.Contains("is there already", (await lab.RunAsync("lock", Spec)).People, StringComparison.Ordinal);

        // The lock leads to the very image it was made of.
        Assert.Contains("already built", (await lab.RunAsync("build", Spec)).People, StringComparison.Ordinal);

        string bundle = Path.Combine(_folder.FullName, "web.bundle");
        CommandResult bundled = await lab.RunAsync("bundle", Spec, "-o", bundle);
        Assert.True(bundled.ExitCode == 0, bundled.People);
        using Process taking = Elsewhere("unbundle", bundle, Home);
        string said = await taking.StandardError.ReadToEndAsync(Cancel);
        await taking.WaitForExitAsync(Cancel);
        Assert.True(taking.ExitCode == 0, said);
        return image;
    }

    private HostPaths PathsElsewhere() => HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? Home : null);

    private Process Elsewhere(params string[] arguments)
    {
        var start = new ProcessStartInfo(lab.Command, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["VIRTIGO_HOME"] = Home;
        return Process.Start(start)!;
    }
}
