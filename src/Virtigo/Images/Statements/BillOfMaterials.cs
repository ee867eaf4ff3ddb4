using System.Globalization;
using System.Text;

namespace Virtigo.Images;

/// <summary>What a manifest says about packages and files, put in the order and under the names that every statement uses.</summary>
internal sealed class BillOfMaterials
{
    /// <summary>Takes a manifest apart.</summary>
    public BillOfMaterials(ImageManifest manifest)
    {
        Manifest = manifest;
        Shape = MachineShape.Of(manifest);
        ImageMaterial[] materials = [.. manifest.Materials.Distinct()
            .OrderBy(material => material.Url, StringComparer.Ordinal).ThenBy(material => material.Sha256, StringComparer.Ordinal)
            .ThenBy(material => material.Verified, StringComparer.Ordinal).ThenBy(material => material.Size)];
        ILookup<string, ImageMaterial> files = materials.ToLookup(material => FileName(material.Url), StringComparer.Ordinal);
        Packages = [.. manifest.Packages
            .Distinct()
            .OrderBy(package => package.Name, StringComparer.Ordinal)
            .ThenBy(package => package.Architecture, StringComparer.Ordinal)
            .ThenBy(package => package.Version, StringComparer.Ordinal)
            .Select(package => new BilledPackage(package, files[DebName(package)].FirstOrDefault()))];
        var billed = Packages.Select(package => package.File).OfType<ImageMaterial>().ToHashSet();
        Materials = materials;
        Files = [.. materials.Where(material => !billed.Contains(material))];
        Components = [.. manifest.Installer.Components.Distinct()
            .OrderBy(component => component.Name, StringComparer.Ordinal).ThenBy(component => component.Version, StringComparer.Ordinal)
            .ThenBy(component => component.Sha256, StringComparer.Ordinal).ThenBy(component => component.Provenance, StringComparer.Ordinal)];
    }

    /// <summary>The manifest.</summary>
    public ImageManifest Manifest { get; }

    /// <summary>The machine.</summary>
    public MachineShape Shape { get; }

    /// <summary>The packages installed, each with the file that it came in when that is known.</summary>
    public IReadOnlyList<BilledPackage> Packages { get; }

    /// <summary>Every file fetched.</summary>
    public IReadOnlyList<ImageMaterial> Materials { get; }

    /// <summary>The files fetched that are no installed package: indices, signed lists, the installer.</summary>
    public IReadOnlyList<ImageMaterial> Files { get; }

    /// <summary>The installer's components.</summary>
    public IReadOnlyList<ImageComponent> Components { get; }

    /// <summary>The version of Virtigo, without the commit behind it.</summary>
    public string ToolVersion => Manifest.ToolVersion.Split('+')[0];

    /// <summary>The time of the making, to the second.</summary>
    public string Created => Manifest.Created.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>A UUID of the key: the same image has the same. It is one of version 8, made by rules of ours.</summary>
    public Guid Id
    {
        get
        {
            byte[] bytes = Convert.FromHexString(Manifest.Key)[..16];
            bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
            bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
            return new Guid(bytes, bigEndian: true);
        }
    }

    /// <summary>The package URL of a package of the image.</summary>
    public string UrlOf(ImagePackage package) => PackageUrl.Of(package.Name, package.Version, package.Architecture, Shape.Distribution, Shape.Release);

    /// <summary>The package URL of a component of the installer.</summary>
    public string UrlOf(ImageComponent component) =>
        PackageUrl.Of(component.Name, component.Version, Shape.Architecture, Shape.Distribution, Shape.Release);

    /// <summary>Letters, digits, dots and hyphens that are different for different text: all else, and the dot, is written as a dot and its number.</summary>
    public static string Identifier(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (byte one in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)one;
            if (char.IsAsciiLetterOrDigit(c) || c == '-')
            {
                escaped.Append(c);
            }
            else
            {
                escaped.Append('.').Append(Convert.ToHexString([one]));
            }
        }

        return escaped.ToString();
    }

    /// <summary>The last part of an address.</summary>
    public static string FileName(string url) => Uri.UnescapeDataString(url[(url.LastIndexOf('/') + 1)..]);

    // An archive's file names leave out the epoch.
    private static string DebName(ImagePackage package) =>
        $"{package.Name}_{package.Version[(package.Version.IndexOf(':', StringComparison.Ordinal) + 1)..]}_{package.Architecture}.deb";
}

/// <summary>A package and the file that it came in.</summary>
internal sealed record BilledPackage(ImagePackage Package, ImageMaterial? File);
