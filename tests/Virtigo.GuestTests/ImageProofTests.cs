using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>One image, proven on every hypervisor that is there.</summary>
public sealed class ImageProofTests(Lab lab) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-proof");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("uml")]
    [InlineData("libvirt", Traits = [Tiers.Name, Tiers.Thorough])]
    public async Task The_installed_image_boots_under_another_hypervisor_and_its_manifest_says_so(string hypervisor)
    {
        StoredImage image = await lab.Golden;
        using IDisposable place = await lab.PlaceAsync();
        CommandResult result = await lab.RunAsync("images", "prove", image.Key, "--hypervisor", hypervisor, "--json");
        Assert.True(result.ExitCode == 0, result.People);

        using var report = JsonDocument.Parse(result.Data);
        JsonElement proof = Assert.Single(report.RootElement.GetProperty("proofs").EnumerateArray());
        Assert.Equal("proven", proof.GetProperty("verdict").GetString());
        ImageManifest manifest = new ImageStore(lab.Paths).TryGet(image.Key)!.Manifest;
        Assert.Contains(manifest.Proofs, one => one.Hypervisor.Name == hypervisor && one.SecondsToMultiUser > 1);
        Assert.Contains(manifest.Proofs, one => one.Hypervisor.Name == "qemu");
    }

    [Fact]
    public async Task What_is_not_trusted_is_never_run_there()
    {
        var needs = new HypervisorNeeds("A copy of web", ImageBoot.Needs);
        HypervisorChoice choice = await HypervisorChoice.MakeAsync(HypervisorCatalog.All(lab.Paths), HypervisorChoice.Auto, needs, Cancel);

        Assert.Equal("qemu", choice.Hypervisor.Name);
        Assert.Contains("uml cannot: no isolation", choice.Reason, StringComparison.Ordinal);
    }

    /// <summary>The distribution's installer in User-Mode Linux; its disk is given a boot loader from outside, and boots in both.</summary>
    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task What_was_installed_in_User_Mode_Linux_boots_in_QEMU_too()
    {
        string spec = Path.Combine(_folder.FullName, "umlweb.yml");
        await File.WriteAllTextAsync(spec, "packages: [nginx]\nhypervisor: uml\n", Cancel);
        using IDisposable place = await lab.PlaceAsync();
        CommandResult result = await lab.RunAsync("build", spec, "--force");
        Assert.True(result.ExitCode == 0, result.People);

        ImageManifest manifest = new ImageStore(lab.Paths).Find("umlweb").Manifest;
        Assert.Equal("uml", manifest.Hypervisor.Name);
        Assert.Equal(["qemu", "uml"], manifest.Proofs.Select(proof => proof.Hypervisor.Name).Order());
        Assert.Contains(manifest.Packages, package => package.Name == "nginx");
    }
}
