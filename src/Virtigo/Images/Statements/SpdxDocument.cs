using System.Text.Json;

namespace Virtigo.Images;

/// <summary>The software of an image as SPDX 2.3 in JSON.</summary>
internal static class SpdxDocument
{
    private const string Root = "SPDXRef-Image";

    public static void Write(Utf8JsonWriter json, ImageManifest manifest)
    {
        var bill = new BillOfMaterials(manifest);
        var names = new Names();
        string[] packages = [.. bill.Packages.Select(one => names.Take($"SPDXRef-Package-{BillOfMaterials.Identifier(one.Package.Name)}-{BillOfMaterials.Identifier(one.Package.Architecture)}"))];
        string[] components = [.. bill.Components.Select(one => names.Take($"SPDXRef-Installer-{BillOfMaterials.Identifier(one.Name)}"))];
        string[] files = [.. bill.Files.Select(one => names.Take("SPDXRef-Material-" + BillOfMaterials.Identifier(one.Sha256)))];

        json.WriteStartObject();
        json.WriteString("spdxVersion", "SPDX-2.3");
        json.WriteString("dataLicense", "CC0-1.0");
        json.WriteString("SPDXID", "SPDXRef-DOCUMENT");
        json.WriteString("name", manifest.Name);
        json.WriteString("documentNamespace", $"https://spdx.org/spdxdocs/{Uri.EscapeDataString(manifest.Name)}-{bill.Id:D}");
        json.WriteStartObject("creationInfo");
        json.WriteString("created", bill.Created);
        json.WriteStartArray("creators");
        json.WriteStringValue("Tool: virtigo-" + bill.ToolVersion);
        json.WriteEndArray();
        json.WriteEndObject();

        json.WriteStartArray("packages");
        Package(json, Root, manifest.Name, manifest.Key[..12], "OPERATING-SYSTEM", null, manifest.Disk.Sha256, null,
            $"The SHA-256 is that of the disk as {manifest.Disk.Format}. Key {manifest.Key}.");
        foreach ((BilledPackage one, string id) in bill.Packages.Zip(packages))
        {
            Package(json, id, one.Package.Name, one.Package.Version, null, one.File?.Url, one.File?.Sha256, bill.UrlOf(one.Package), null);
        }

        foreach ((ImageComponent one, string id) in bill.Components.Zip(components))
        {
            Package(json, id, one.Name, one.Version, "INSTALL", null, one.Sha256, bill.UrlOf(one), one.Provenance);
        }

        foreach ((ImageMaterial one, string id) in bill.Files.Zip(files))
        {
            Package(json, id, BillOfMaterials.FileName(one.Url), null, "FILE", one.Url, one.Sha256, null, "Verified against: " + one.Verified);
        }

        json.WriteEndArray();
        json.WriteStartArray("relationships");
        Relation(json, "SPDXRef-DOCUMENT", "DESCRIBES", Root);
        foreach (string id in packages)
        {
            Relation(json, Root, "CONTAINS", id);
        }

        foreach (string id in components)
        {
            Relation(json, id, "BUILD_TOOL_OF", Root);
        }

        foreach (string id in files)
        {
            Relation(json, id, "BUILD_DEPENDENCY_OF", Root);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Package(
        Utf8JsonWriter json, string id, string name, string? version, string? purpose, string? address, string? sha256, string? url, string? comment)
    {
        json.WriteStartObject();
        json.WriteString("SPDXID", id);
        json.WriteString("name", name.Length > 0 ? name : "NOASSERTION");
        if (version is not null)
        {
            json.WriteString("versionInfo", version);
        }

        if (purpose is not null)
        {
            json.WriteString("primaryPackagePurpose", purpose);
        }

        json.WriteString("downloadLocation", address ?? "NOASSERTION");
        json.WriteBoolean("filesAnalyzed", false);
        json.WriteString("licenseConcluded", "NOASSERTION");
        json.WriteString("licenseDeclared", "NOASSERTION");
        json.WriteString("copyrightText", "NOASSERTION");
        if (sha256 is not null)
        {
            json.WriteStartArray("checksums");
            json.WriteStartObject();
            json.WriteString("algorithm", "SHA256");
            json.WriteString("checksumValue", sha256);
            json.WriteEndObject();
            json.WriteEndArray();
        }

        if (url is not null)
        {
            json.WriteStartArray("externalRefs");
            json.WriteStartObject();
            json.WriteString("referenceCategory", "PACKAGE-MANAGER");
            json.WriteString("referenceType", "purl");
            json.WriteString("referenceLocator", url);
            json.WriteEndObject();
            json.WriteEndArray();
        }

        if (comment is not null)
        {
            json.WriteString("comment", comment);
        }

        json.WriteEndObject();
    }

    private static void Relation(Utf8JsonWriter json, string from, string kind, string to)
    {
        json.WriteStartObject();
        json.WriteString("spdxElementId", from);
        json.WriteString("relationshipType", kind);
        json.WriteString("relatedSpdxElement", to);
        json.WriteEndObject();
    }
}

/// <summary>Gives each thing of a document a name of its own: what is there twice gets a number.</summary>
internal sealed class Names
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    public string Take(string name)
    {
        string free = name;
        for (int number = 2; !_taken.Add(free); number++)
        {
            free = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{name}-{number}");
        }

        return free;
    }
}
